# SPDX-License-Identifier: Apache-2.0
# gnuplot -c figures.gp KIND DATA SVG SERIES: one figure out of a table that bench/run wrote (a heading line; a name; then
# a median and the bounds of its interval for each of SERIES series). Transparent, in tones that read on white and on black.
kind = ARG1
data = ARG2
set output ARG3
series = int(ARG4)
set terminal svg size 860,400 font "sans-serif,13"

grey = "#767676" # 4.5 : 1 against both white and black
set border 3 linecolor rgb grey
set tics nomirror textcolor rgb grey
set xlabel textcolor rgb grey
set ylabel textcolor rgb grey
set title textcolor rgb grey
set key outside right top textcolor rgb grey
set grid ytics linecolor rgb grey linewidth 0.3 dashtype 3
set datafile separator "\t"
set datafile missing "?"
set linetype 1 linecolor rgb "#2f81c7"
set linetype 2 linecolor rgb "#d07a1e"
set linetype 3 linecolor rgb "#3a9a5b"
set linetype 4 linecolor rgb "#b05cb8"
set linetype 5 linecolor rgb "#c4483f"

set style fill solid 0.85 noborder
set style histogram errorbars gap 1
set errorbars 0.5 linecolor rgb grey linewidth 1.2
set yrange [0:*]
set xtics noenhanced

if (kind eq "threads") {
    set title "Speed over one thread (momentum, GPT-2 124M)"
    set xlabel "threads"
    set ylabel "times"
    stats data using 1 skip 1 nooutput
    set xrange [STATS_min - 0.5:STATS_max + 0.5]
    set xtics 1
    unset key
    plot data using 1:2:3:4 skip 1 with yerrorlines linetype 1 linewidth 2 pointtype 7
} else {
    set style data histograms
    set arrow from graph 0, first 1 to graph 1, first 1 nohead linecolor rgb grey
    if (kind ne "of_floor") {
        set xtics rotate by -30
    }
    if (kind eq "of_floor") {
        set title "Share of the read-only floor: time to read all arrays / time of a step"
        set ylabel "of_floor" noenhanced
    }
    if (kind eq "rules") {
        set title "A step of each rule, in steps of momentum (float, GPT-2 124M)"
        set ylabel "of_momentum" noenhanced
    }
    if (kind eq "formats") {
        set title "A step in each number format, in steps of momentum in float (GPT-2 124M)"
        set ylabel "of_momentum" noenhanced
    }
    if (kind eq "fused") {
        set title "A step that does more, in bare steps (float, GPT-2 124M)"
        set ylabel "of_step" noenhanced
    }
    if (kind eq "debias") {
        set title "A step with debiasing, in steps without it (momentum)"
        set ylabel "of_none" noenhanced
    }
    plot for [i = 0:series - 1] data using (column(2 + 3 * i)):(column(3 + 3 * i)):(column(4 + 3 * i)):xtic(1) \
        title columnheader(2 + 3 * i) noenhanced
}
