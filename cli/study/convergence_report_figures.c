/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of the convergence study, drawn of its tables. Every range is given, since gnuplot refuses to scale an axis
 * by a table without a number. Must not compute.
 */
#include "convergence_report.h"

#include "figure.h"

#include <stdio.h>
#include <string.h>

enum { SCRIPT_SIZE = 8192 };

/*
 * The rules look the same in every figure. Heavy ball and the undebiased average coincide at a matched rate: hence a
 * broad line below a dashed one. Variables for panels: `networks`, `momenta`, `rules`.
 */
static const char common_script[] =
    "networks = '%s'; momenta = '%s'\n"
    "rules = 'plain heavy-ball undampened ewma debiased nesterov debiased-nesterov'\n"
    "array titles[7] = ['no momentum', 'heavy ball', 'undampened first step', 'average (EWMA)', \\\n"
    "  'debiased average', 'Nesterov', 'debiased Nesterov']\n"
    "set style line 1 linecolor rgb '#7b7b7b' linewidth 2 dashtype (2,3) pointtype 4 pointsize 0.5\n"
    "set style line 2 linecolor rgb '#2384c8' linewidth 3.5 dashtype solid pointtype 7 pointsize 0.65\n"
    "set style line 3 linecolor rgb '#a87900' linewidth 2 dashtype (9,3,2,3) pointtype 11 pointsize 0.7\n"
    "set style line 4 linecolor rgb '#d55e00' linewidth 2 dashtype (5,4) pointtype 5 pointsize 0.45\n"
    "set style line 5 linecolor rgb '#009e73' linewidth 2.5 dashtype solid pointtype 9 pointsize 0.75\n"
    "set style line 6 linecolor rgb '#7b68d8' linewidth 2 dashtype (3,2) pointtype 6 pointsize 0.6\n"
    "set style line 7 linecolor rgb '#c05a9c' linewidth 2 dashtype (7,3) pointtype 13 pointsize 0.7\n"
    "of(network, rule) = strcol('network') eq network && strcol('arm') eq rule\n"
    "at(momentum) = strcol('momentum') eq momentum || strcol('momentum') eq '0'\n"
    "panel(network, momentum) = (network eq 'small-mlp' ? 'perceptron' : network eq 'conv' ? 'convolutional' "
    ": \\\n"
    "  network).', β = '.momentum\n"
    "last_row = word(networks, words(networks)); first_column = word(momenta, 1)\n"
    "set title offset 0,-0.7\n"
    "set logscale xy\n";

/* The legend, in a strip below the panels. */
static const char legend_script[] =
    "unset title; unset xlabel; unset ylabel; unset border; unset tics; unset grid; unset arrow; unset "
    "label\n"
    "unset logscale\n"
    "set xrange [0:1]; set yrange [0:1]\n"
    "set lmargin at screen 0.03; set rmargin at screen 0.99\n"
    "set tmargin at screen %g; set bmargin at screen 0\n"
    "set key at graph 0.5,0.5 center center vertical Left reverse samplen 3 spacing 1.4 width -4 maxrows 2 "
    "font ',12'\n"
    "plot NaN notitle, for [i=1:7] keyentry with linespoints ls i title titles[i]\n"
    "unset multiplot\n";

static const char rates_script[] =
    "top = %g\n"
    "set xrange [%g:%g]; set yrange [top / 20:top * 1.15]\n"
    "set xtics (%s)\n"
    "set ytics (20, 50, 100, 200, 500, 1000, 2000)\n"
    "steps(network, rule, momentum) = of(network, rule) && at(momentum) && strcol('steps_to_loss') ne 'inf' "
    "\\\n"
    "  ? column('steps_to_loss') : NaN\n"
    /* Rules that miss the target at one rate stand side by side. */
    "missed(network, rule, momentum, i) = of(network, rule) && at(momentum) && strcol('steps_to_loss') eq "
    "'inf' \\\n"
    "  ? column('rate') * 2 ** (0.08 * (i - 4)) : NaN\n"
    "set multiplot layout words(networks),words(momenta) margins 0.1,0.985,0.155,0.885 spacing 0.055,0.09 "
    "title \\\n"
    "  \"{/:Bold Steps to a training loss of %g, by effective learning rate}\\n\\\n"
    "{/=12 median of %zu seeds; at the top edge: not within %g steps}\" font ',15' textcolor rgb ink\n"
    "unset key\n"
    "do for [network in networks] { do for [momentum in momenta] {\n"
    "  set title panel(network, momentum)\n"
    "  if (network eq last_row) { set xlabel 'effective learning rate' offset 0,0.4 textcolor rgb ink } else "
    "{ unset xlabel }\n"
    "  if (momentum eq first_column) { set ylabel 'steps' offset 1,0 textcolor rgb ink } else { unset ylabel "
    "}\n"
    "  plot for [i=1:7] 'rates.csv' using 'rate':(steps(network, word(rules, i), momentum)) with linespoints "
    "ls i, \\\n"
    "    for [i=1:7] '' using (missed(network, word(rules, i), momentum, i)):(top * 1.1) with points ls i\n"
    "} }\n";

static const char curves_script[] =
    "set xrange [1:%g]; set yrange [%g:%g]\n"
    "set xtics (1, 3, 10, 30, 100, 300, 1000)\n"
    "set ytics (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 50)\n"
    "loss(name, network, rule, momentum) = of(network, rule) && strcol('momentum') eq momentum && \\\n"
    "  column('step') > 0 ? column(name) : NaN\n"
    "set multiplot layout words(networks),words(momenta) margins 0.09,0.985,0.155,0.885 spacing 0.055,0.09 "
    "title \\\n"
    "  \"{/:Bold Training loss at one effective learning rate, the best of the debiased average}\\n\\\n"
    "{/=12 median of %zu seeds; band: quartiles of the debiased average; dotted line: the target}\" \\\n"
    "  font ',15' textcolor rgb ink\n"
    "unset key\n"
    "set style fill transparent solid 0.2 noborder\n"
    "do for [network in networks] { do for [momentum in momenta] {\n"
    "  set title panel(network, momentum)\n"
    "  if (network eq last_row) { set xlabel 'step' offset 0,0.4 textcolor rgb ink } else { unset xlabel }\n"
    "  if (momentum eq first_column) { set ylabel 'training loss' offset 1,0 textcolor rgb ink } else { "
    "unset ylabel }\n"
    "  plot 'curves.csv' using 'step':(loss('loss_quarter', network, 'debiased', momentum)): \\\n"
    "    (loss('loss_three_quarters', network, 'debiased', momentum)) with filledcurves linecolor rgb "
    "'#009e73', \\\n"
    "    for [i=1:7] '' using 'step':(loss('loss', network, word(rules, i), momentum)) with lines ls i, \\\n"
    "    %g with lines linecolor rgb ink linewidth 1 dashtype (1,3)\n"
    "} }\n";

static const char best_script[] =
    "left = %g; right = %g\n"
    "set xrange [left:right * 1.3]; set yrange [7.6:0.4]\n"
    "unset logscale y\n"
    "set xtics (%s)\n"
    "set format x '%%.0f'\n"
    "seen(name) = strcol(name) eq 'inf' ? right * 1.3 : column(name)\n"
    "row(network, rule, momentum, i) = of(network, rule) && at(momentum) ? i : NaN\n"
    "reached(network, rule, momentum, i) = strcol('samples_to_loss') ne 'inf' ? row(network, rule, momentum, "
    "i) : NaN\n"
    "missed(network, rule, momentum, i) = strcol('samples_to_loss') eq 'inf' ? row(network, rule, momentum, "
    "i) : NaN\n"
    "set multiplot layout words(networks),words(momenta) margins 0.225,0.985,0.105,0.85 spacing 0.03,0.11 "
    "title \\\n"
    "  \"{/:Bold Training images until a training loss of %g, each rule at its best learning rate}\\n\\\n"
    "{/=12 median of %zu seeds with its bootstrap interval of 95 %%; arrow: not within %.0f images}\" \\\n"
    "  font ',15' textcolor rgb ink\n"
    "unset key\n"
    "do for [network in networks] { do for [momentum in momenta] {\n"
    "  set title panel(network, momentum)\n"
    "  if (network eq last_row) { set xlabel 'images' offset 0,0.4 textcolor rgb ink } else { unset xlabel "
    "}\n"
    "  unset ytics; set ytics nomirror scale 0 textcolor rgb ink\n"
    "  do for [i=1:7] { set ytics add ((momentum eq first_column ? titles[i] : '') i) }\n"
    "  plot for [i=1:7] 'best.csv' using (seen('samples_to_loss_low')): \\\n"
    "    (reached(network, word(rules, i), momentum, i)): \\\n"
    "    (seen('samples_to_loss_high') - seen('samples_to_loss_low')):(0) \\\n"
    "    with vectors nohead ls i dashtype solid linewidth 2, \\\n"
    "    for [i=1:7] '' using (seen('samples_to_loss')):(reached(network, word(rules, i), momentum, i)) \\\n"
    "    with points ls i pointtype 7 pointsize 0.8, \\\n"
    "    for [i=1:7] '' using (right):(missed(network, word(rules, i), momentum, i)):(right * 0.3):(0) \\\n"
    "    with vectors head filled ls i dashtype solid linewidth 2\n"
    "} }\n"
    "unset multiplot\n";

static const char early_script[] =
    "momenta = '%s'; rates = '%s'; batches = '%s'\n"
    "last_row = word(momenta, words(momenta)); first_column = word(rates, 1)\n"
    "set logscale xy\n"
    "set xrange [0.01:5]; set yrange [0.002:3]\n"
    "set xtics ('0.01' 0.01, '0.1' 0.1, '0.5' 0.5, '1' 1, '3' 3)\n"
    "set style line 1 linecolor rgb '#d55e00' linewidth 2 dashtype solid\n"
    "set style line 2 linecolor rgb '#2384c8' linewidth 2 dashtype (6,3)\n"
    "set style line 3 linecolor rgb '#009e73' linewidth 2 dashtype (2,2)\n"
    "set style fill transparent solid 0.2 noborder\n"
    "set title offset 0,-0.7\n"
    "of(name, momentum, rate, batch) = strcol('momentum') eq momentum && strcol('rate') eq rate && \\\n"
    "  strcol('batch') eq batch && column(name) > 0 ? column(name) : NaN\n"
    "set multiplot layout words(momenta),words(rates) margins 0.1,0.985,%g,%g spacing 0.03,0.11 title \\\n"
    "  \"{/:Bold Early training loss: debiased average over undampened first step}\\n\\\n"
    "{/=12 median ratio of %zu pairs with its bootstrap interval of 95 %%; below 1 debiasing is ahead}\" \\\n"
    "  font ',15' textcolor rgb ink\n"
    "do for [momentum in momenta] { do for [rate in rates] {\n"
    "  set title 'β = '.momentum.', effective rate '.(real(rate) < 1 ? sprintf('1/%%.0f', 1 / real(rate)) : "
    "rate)\n"
    "  if (momentum eq last_row) { set xlabel 'step (1 − β)' offset 0,0.4 textcolor rgb ink } else { unset "
    "xlabel }\n"
    "  set ytics ('1/256' 1./256, '1/64' 1./64, '1/16' 1./16, '1/4' 1./4, '1' 1)\n"
    "  if (rate eq first_column) { set ylabel 'ratio of losses' offset 1,0 textcolor rgb ink } \\\n"
    "  else { unset ylabel; set ytics ('' 1./256, '' 1./64, '' 1./16, '' 1./4, '' 1) }\n"
    "  if (momentum eq word(momenta, 1) && rate eq first_column) {\n"
    "    set key at graph 0.04,0.05 left bottom Left reverse samplen 3 spacing 1.3\n"
    "  } else { unset key }\n"
    "  plot for [i=1:words(batches)] 'early-curves.csv' using 'scaled_step': \\\n"
    "    (of('ratio_low', momentum, rate, word(batches, i))):(of('ratio_high', momentum, rate, word(batches, "
    "i))) \\\n"
    "    with filledcurves ls i notitle, \\\n"
    "    for [i=1:words(batches)] '' using 'scaled_step':(of('ratio', momentum, rate, word(batches, i))) \\\n"
    "    with lines ls i title 'batch '.word(batches, i), \\\n"
    "    1 with lines linecolor rgb ink linewidth 1 dashtype (1,3) notitle\n"
    "} }\n"
    "unset multiplot\n";

/* ---- words and numbers for the scripts ---- */

static void join_numbers(char *text, size_t size, const double *values, size_t count) {
    text[0] = '\0';
    for (size_t i = 0, length = 0; i < count && length < size; ++i)
        length += (size_t)snprintf(text + length, size - length, "%s%.6g", i > 0 ? " " : "", values[i]);
}

/* Tics at every other rate, as the fractions that they are. */
static void write_rate_tics(char *text, size_t size, const struct convergence_design *design) {
    text[0] = '\0';
    for (size_t i = 0, length = 0; i < design->rate_count && length < size; i += 2) {
        double rate = design->rates[i];
        length += (size_t)snprintf(text + length, size - length, rate < 1.0 ? "%s'1/%g' %g" : "%s'%g' %g",
                                   i > 0 ? ", " : "", rate < 1.0 ? 1.0 / rate : rate, rate);
    }
}

/* Of an axis of images: from 1 2 5 10 ... what is within. */
static void write_image_tics(char *text, size_t size, double from, double to) {
    static const double digits[] = {1.0, 2.0, 5.0};
    text[0] = '\0';
    for (size_t i = 0, length = 0; i < 24 && length < size; ++i) {
        double tic = digits[i % 3];
        for (size_t power = 0; power < i / 3; ++power)
            tic *= 10.0;
        if (tic >= from && tic <= to)
            length += (size_t)snprintf(text + length, size - length, "%s%.0f", length > 0 ? ", " : "", tic);
    }
}

static void write_common(const struct findings *findings, char *script) {
    const struct convergence_design *design = &findings->design;
    char networks[128] = "", momenta[64];
    for (size_t i = 0; i < design->network_count; ++i) {
        strncat(networks, i > 0 ? " " : "", sizeof networks - strlen(networks) - 1);
        strncat(networks, design->networks[i]->name, sizeof networks - strlen(networks) - 1);
    }
    join_numbers(momenta, sizeof momenta, design->momenta, design->momentum_count);
    snprintf(script, SCRIPT_SIZE, common_script, networks, momenta);
}

/* ---- drawing ---- */

static enum exit_code draw_rates(const struct findings *findings, char *script) {
    const struct convergence_design *design = &findings->design;
    char tics[256];
    write_rate_tics(tics, sizeof tics, design);
    write_common(findings, script);
    size_t length = strlen(script);
    snprintf(script + length, SCRIPT_SIZE - length, rates_script, (double)design->run.steps,
             design->rates[0] / 1.4, design->rates[design->rate_count - 1] * 1.4, tics,
             design->run.loss_target, (size_t)design->tuning.tuning_seeds, (double)design->run.steps);
    length = strlen(script);
    snprintf(script + length, SCRIPT_SIZE - length, legend_script, 0.08);
    return figure_draw(findings->settings->output, "steps-rates", 800, 720, script);
}

static enum exit_code draw_curves(const struct findings *findings, char *script) {
    const struct convergence_design *design = &findings->design;
    write_common(findings, script);
    size_t length = strlen(script);
    /* Up to some four times the loss of guessing; the undampened first step leads beyond, and out of the picture. */
    snprintf(script + length, SCRIPT_SIZE - length, curves_script, (double)design->run.steps * 1.05,
             design->run.loss_target / 2.0, 10.0, (size_t)design->tuning.judging_seeds,
             design->run.loss_target);
    length = strlen(script);
    snprintf(script + length, SCRIPT_SIZE - length, legend_script, 0.08);
    return figure_draw(findings->settings->output, "curves", 800, 720, script);
}

static enum exit_code draw_best(const struct findings *findings, char *script) {
    const struct convergence_design *design = &findings->design;
    double most = (double)design->run.steps * (double)design->run.batch;
    char tics[256];
    write_image_tics(tics, sizeof tics, most / 20.0, most);
    write_common(findings, script);
    size_t length = strlen(script);
    snprintf(script + length, SCRIPT_SIZE - length, best_script, most / 20.0, most, tics,
             design->run.loss_target, (size_t)design->tuning.judging_seeds, most);
    return figure_draw(findings->settings->output, "best", 800, 560, script);
}

static enum exit_code draw_early(const struct findings *findings, char *script) {
    const struct convergence_design *design = &findings->design;
    double sizes[BATCHES_MAXIMUM];
    for (size_t i = 0; i < design->early_batch_count; ++i)
        sizes[i] = (double)design->early_batches[i];
    char momenta[64], rates[64], batches[64];
    join_numbers(momenta, sizeof momenta, design->momenta, design->momentum_count);
    join_numbers(rates, sizeof rates, design->early_rates, design->early_rate_count);
    join_numbers(batches, sizeof batches, sizes, design->early_batch_count);
    snprintf(script, SCRIPT_SIZE, early_script, momenta, rates, batches,
             design->momentum_count > 1 ? 0.115 : 0.19, design->momentum_count > 1 ? 0.85 : 0.76,
             (size_t)design->tuning.judging_seeds);
    return figure_draw(findings->settings->output, "early", 800, design->momentum_count > 1 ? 560 : 340,
                       script);
}

enum exit_code convergence_draw(const struct findings *findings) {
    char script[SCRIPT_SIZE];
    enum exit_code exit_code = draw_rates(findings, script);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_curves(findings, script);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_best(findings, script);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_early(findings, script);
    return exit_code;
}
