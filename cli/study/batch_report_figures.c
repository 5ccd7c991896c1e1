/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batch-size study's figures. gnuplot reads the tables; only what is in none of them as a column, such as a fit's
 * two numbers, is written into a script. Must not compute anything else.
 */
#include "batch_report.h"
#include "figure.h"

#include <math.h>
#include <stdlib.h>

/*
 * A row that is not asked for, or has no number, becomes NaN, which is not drawn. A bound of inf ends at the top of
 * the panel (`top`, which scripts set), a median of inf is left out: there is no place for it.
 */
static const char preamble[] =
    "set logscale xy\n"
    "set style data yerrorlines\n"
    "set errorbars 0.6\n"
    "top = 1e30\n"
    "row(n, p, a) = stringcolumn('network') eq n && stringcolumn('policy') eq p && stringcolumn('at') eq a\n"
    "number(name) = column(name) < 1e30 ? column(name) : NaN\n"
    "bound(name) = column(name) < top ? column(name) : top\n"
    "set title offset 0,-0.6\n"
    "set xlabel 'batch size (images)' offset 0,0.3\n";

/* Colours and dashes of the policies, in all figures. */
static const int policy_lines[BATCH_POLICY_COUNT] = {[BATCH_PLAIN] = 3, [BATCH_KEPT] = 1, [BATCH_SCALED] = 2};

/* A script under way, and what becomes of it. */
struct drawing {
    const struct study_settings *settings;
    const struct batch_findings *findings;
    FILE *script;
    char *text;
    size_t length;
};

static bool drawing_begin(struct drawing *drawing) {
    drawing->text = NULL;
    drawing->script = open_memstream(&drawing->text, &drawing->length);
    if (drawing->script == NULL) {
        report_error("study batch: out of memory");
        return false;
    }
    const struct batch_design *design = &drawing->findings->design;
    fputs(preamble, drawing->script);
    fprintf(drawing->script, "set xrange [%.9g:%.9g]\nset xtics (", (double)design->sizes[0] / 1.5,
            (double)design->sizes[design->size_count - 1] * 1.5);
    for (size_t i = 0; i < design->size_count; ++i)
        fprintf(drawing->script, "%s'%llu' %llu", i > 0 ? ", " : "", (unsigned long long)design->sizes[i],
                (unsigned long long)design->sizes[i]);
    fputs(")\n", drawing->script);
    return true;
}

static enum exit_code drawing_end(struct drawing *drawing, const char *name, int width, int height) {
    bool written = !ferror(drawing->script);
    enum exit_code exit_code = EXIT_CODE_FAILED;
    if (fclose(drawing->script) == 0 && written)
        exit_code = figure_draw(drawing->settings->output, name, width, height, drawing->text);
    else
        report_error("study batch: out of memory");
    free(drawing->text);
    return exit_code;
}

/* Panels, a network each in a row, over room for a legend of two lines. */
static void begin_panels(struct drawing *drawing, int rows, const char *title, const char *subtitle) {
    fprintf(drawing->script,
            "set multiplot layout %d,%zu margins 0.085,0.985,%s,%s spacing 0.09,0.13 title \\\n"
            "  \"{/:Bold %s}\\n{/=12 %s}\" font ',15' textcolor rgb ink\n"
            "unset key\n",
            rows, drawing->findings->design.network_count, rows > 1 ? "0.15" : "0.25",
            rows > 1 ? "0.87" : "0.8", title, subtitle);
}

static void policy_title(const struct drawing *drawing, enum batch_policy policy, char *text, size_t size) {
    const struct batch_design *design = &drawing->findings->design;
    if (policy == BATCH_PLAIN)
        snprintf(text, size, "no momentum");
    else if (policy == BATCH_KEPT)
        snprintf(text, size, "momentum %g", design->reference_momentum);
    else
        snprintf(text, size, "momentum %g^{B/%llu}", design->reference_momentum,
                 (unsigned long long)design->reference_size);
}

/* The same range of y in all panels: of the values that are there, an eighth of a decade on either side. */
struct range {
    double low, high;
};

static void extend(struct range *range, struct interval interval, double factor) {
    const double values[] = {interval.value, interval.low, interval.high};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; ++i) {
        if (!isfinite(values[i]) || values[i] <= 0.0)
            continue;
        range->low = range->high > 0.0 ? fmin(range->low, values[i] * factor) : values[i] * factor;
        range->high = fmax(range->high, values[i] * factor);
    }
}

static void write_range(struct drawing *drawing, struct range range) {
    if (range.high == 0.0)
        range = (struct range){1.0, 1000.0};
    fprintf(drawing->script, "top = %.9g\nset yrange [%.9g:top]\n", range.high * 1.33, range.low / 1.33);
}

/* The legend, below the panels, and of the policies if asked; `more` are other entries. Ends the picture. */
static void end_panels(struct drawing *drawing, int rows, bool policies, const char *more) {
    fprintf(
        drawing->script,
        "set origin 0,0; set size 1,0.13; set lmargin 0; set rmargin 0; set tmargin 0; set bmargin 0\n"
        "unset title; unset xlabel; unset ylabel; unset border; unset tics; unset grid; unset arrow; unset "
        "label\n"
        "unset logscale; unset object; set xrange [0:1]; set yrange [0:1]\n"
        "set key at screen 0.5,%s center center horizontal maxrows 2 Left reverse spacing 1.25 samplen 3.5\n"
        "plot NaN notitle",
        rows > 1 ? "0.035" : "0.055");
    for (int policy = 0; policies && policy < BATCH_POLICY_COUNT; ++policy) {
        char title[96];
        policy_title(drawing, (enum batch_policy)policy, title, sizeof title);
        fprintf(drawing->script, ", \\\n  keyentry with linespoints lt %d title '%s'", policy_lines[policy],
                title);
    }
    fprintf(drawing->script, "%s\nunset multiplot\n", more);
}

static struct range range_of(const struct batch_findings *findings, bool samples) {
    struct range range = {0.0, 0.0};
    for (size_t network = 0; network < findings->design.network_count; ++network)
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
            for (size_t i = 0; i < findings->design.size_count; ++i) {
                const struct batch_point *point = &findings->networks[network].policies[policy].points[i];
                extend(&range, point->tuned.to_loss, samples ? (double)point->size : 1.0);
                if (samples)
                    extend(&range, point->linear.to_loss, (double)point->size);
            }
    return range;
}

/* ---- steps.svg ---- */

static void plot_fit(struct drawing *drawing, const struct batch_scaling *scaling, int line) {
    if (!isnan(scaling->critical.value))
        fprintf(drawing->script, ", \\\n  %.9g * (1 + %.9g / x) with lines lt %d linewidth 1.2 notitle",
                scaling->floor.value, scaling->critical.value, line);
}

/* In inverse proportion to the batch, from the kept policy's smallest size on. */
static void plot_perfect(struct drawing *drawing, const struct batch_scaling *kept) {
    const struct batch_point *first = &kept->points[0];
    if (isfinite(first->tuned.to_loss.value))
        fprintf(drawing->script, ", \\\n  %.9g / x with lines lt 7 dashtype (2,4) linewidth 1.5 notitle",
                first->tuned.to_loss.value * (double)first->size);
}

/* gnuplot's yerrorbars paint a white disc behind each point, which a dark background shows: hence arrows. */
static void plot_medians(struct drawing *drawing, const char *network, enum batch_policy policy) {
    fprintf(drawing->script,
            ", \\\n  'sizes.csv' using (row('%s', '%s', 'fastest') ? column('batch') : NaN):"
            "(bound('steps_to_loss_low')):(0):(bound('steps_to_loss_high') - column('steps_to_loss_low')) "
            "with vectors heads size screen 0.004,90 lt %d dashtype solid notitle, \\\n"
            "  '' using (row('%s', '%s', 'fastest') ? column('batch') : NaN):(number('steps_to_loss')) "
            "with points lt %d notitle",
            network, batch_policy_names[policy], policy_lines[policy], network, batch_policy_names[policy],
            policy_lines[policy]);
}

static enum exit_code draw_steps(struct drawing *drawing) {
    const struct batch_findings *findings = drawing->findings;
    char subtitle[256];
    if (!drawing_begin(drawing))
        return EXIT_CODE_FAILED;
    snprintf(subtitle, sizeof subtitle,
             "points: median of %llu seeds and its 95 %% interval; thin curves: steps = s (1 + B_c / B)",
             (unsigned long long)findings->design.tuning.judging_seeds);
    begin_panels(drawing, 1, "Steps to the target loss, each batch size at its fastest learning rate",
                 subtitle);
    fputs("set format y '10^{%T}'\n", drawing->script);
    write_range(drawing, range_of(findings, false));
    for (size_t network = 0; network < findings->design.network_count; ++network) {
        const char *name = findings->design.networks[network]->name;
        const struct batch_scaling *policies = findings->networks[network].policies;
        fprintf(drawing->script, "set title '%s'\nset ylabel 'steps to loss %g' offset 1,0\nplot NaN notitle",
                figure_network(name), findings->design.loss_targets[network]);
        plot_perfect(drawing, &policies[BATCH_KEPT]);
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy) {
            plot_fit(drawing, &policies[policy], policy_lines[policy]);
            plot_medians(drawing, name, (enum batch_policy)policy);
        }
        fputc('\n', drawing->script);
    }
    end_panels(
        drawing, 1, true,
        ", \\\n  keyentry with lines lt 7 dashtype (2,4) linewidth 1.5 title 'in proportion to 1 / B'");
    return drawing_end(drawing, "steps", 860, 480);
}

/* ---- samples.svg ---- */

static void plot_samples(struct drawing *drawing, const char *network, const char *at) {
    fputs("plot NaN notitle", drawing->script);
    for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
        fprintf(drawing->script,
                ", \\\n  'sizes.csv' using (row('%s', '%s', '%s') ? column('batch') : NaN):"
                "(number('samples_to_loss')):(bound('samples_to_loss_low')):(bound('samples_to_loss_high')) "
                "lt %d notitle",
                network, batch_policy_names[policy], at, policy_lines[policy]);
    fputc('\n', drawing->script);
}

static enum exit_code draw_samples(struct drawing *drawing) {
    const struct batch_design *design = &drawing->findings->design;
    if (!drawing_begin(drawing))
        return EXIT_CODE_FAILED;
    begin_panels(
        drawing, 2, "Images seen until the target loss",
        "median over seeds and its 95 % interval; where the median never got there, there is no point");
    fputs("set format y '10^{%T}'\n", drawing->script);
    write_range(drawing, range_of(drawing->findings, true));
    for (int linear = 0; linear < 2; ++linear)
        for (size_t network = 0; network < design->network_count; ++network) {
            const char *name = design->networks[network]->name;
            fprintf(drawing->script, "set title '%s, %s'\nset ylabel 'images to loss %g' offset 0.5,0\n",
                    figure_network(name), linear != 0 ? "linear-scaling rate" : "fastest rate",
                    design->loss_targets[network]);
            plot_samples(drawing, name, linear != 0 ? "linear" : "fastest");
        }
    end_panels(drawing, 2, true, "");
    return drawing_end(drawing, "samples", 860, 720);
}

/* ---- rates.svg ---- */

/* Rates are powers of two and often the same: the policies stand beside each other. */
static void plot_rates(struct drawing *drawing, size_t network) {
    const struct batch_design *design = &drawing->findings->design;
    const char *name = design->networks[network]->name;
    static const double places[BATCH_POLICY_COUNT] = {0.84, 1.0, 1.19};
    for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
        fprintf(drawing->script,
                ", \\\n  'sizes.csv' using (row('%s', '%s', 'fastest') ? column('batch') * %g : NaN):"
                "(number('rate')):(bound('rate_low')):(bound('rate_high')) lt %d notitle",
                name, batch_policy_names[policy], places[policy], policy_lines[policy]);
}

/* The lowest and the highest rate that was tried, and the two lines through the kept policy's reference point. */
static void plot_rate_lines(struct drawing *drawing, size_t network) {
    const struct batch_design *design = &drawing->findings->design;
    const struct batch_scaling *kept = &drawing->findings->networks[network].policies[BATCH_KEPT];
    fputs("$tried << EOD\nbatch,low,high\n", drawing->script);
    for (size_t i = 0; i < design->size_count; ++i) {
        double rates[BATCH_RATES_MAXIMUM];
        size_t count = batch_rates(design, design->sizes[i], rates);
        fprintf(drawing->script, "%llu,%.9g,%.9g\n", (unsigned long long)design->sizes[i], rates[0],
                rates[count - 1]);
    }
    fputs("EOD\nplot $tried using 'batch':'low':'high' with filledcurves fillcolor rgb ghost notitle",
          drawing->script);
    for (size_t i = 0; i < design->size_count; ++i) {
        const double size = (double)design->reference_size, rate = kept->points[i].rate.value;
        if (design->sizes[i] != design->reference_size || isnan(rate))
            continue;
        fprintf(drawing->script,
                ", \\\n  %.9g * x / %.9g with lines lt 7 dashtype (2,4) linewidth 1.5 notitle"
                ", \\\n  %.9g * sqrt(x / %.9g) with lines lt 7 dashtype (8,4) linewidth 1.5 notitle",
                rate, size, rate, size);
    }
}

static enum exit_code draw_rates(struct drawing *drawing) {
    const struct batch_design *design = &drawing->findings->design;
    if (!drawing_begin(drawing))
        return EXIT_CODE_FAILED;
    begin_panels(drawing, 1, "The fastest learning rate against the batch size",
                 "of powers of two within the shaded range; bars: 95 % over resampled tuning seeds");
    fputs("set format y '2^{%L}'; set logscale y 2\nset yrange [2.0**-10.5:2.0**4.5]\n", drawing->script);
    for (size_t network = 0; network < design->network_count; ++network) {
        fprintf(drawing->script, "set title '%s'\nset ylabel 'effective rate' offset 1,0\n",
                figure_network(design->networks[network]->name));
        plot_rate_lines(drawing, network);
        plot_rates(drawing, network);
        fputc('\n', drawing->script);
    }
    end_panels(drawing, 1, true,
               ", \\\n  keyentry with lines lt 7 dashtype (2,4) linewidth 1.5 title 'linear scaling'"
               ", \\\n  keyentry with lines lt 7 dashtype (8,4) linewidth 1.5 title 'square-root scaling'");
    return drawing_end(drawing, "rates", 860, 480);
}

/* ---- noise.svg ---- */

static void mark_critical(struct drawing *drawing, const struct batch_scaling *kept, double target_step) {
    fputs("unset arrow; unset object\n", drawing->script);
    if (!isnan(kept->critical.low) && !isnan(kept->critical.high))
        fprintf(
            drawing->script,
            "set object 1 rectangle from graph 0,first %.9g to graph 1,first %.9g fillcolor rgb '#b0d55e00' "
            "fillstyle noborder behind\n",
            kept->critical.low, kept->critical.high);
    if (!isnan(kept->critical.value))
        fprintf(drawing->script,
                "set arrow 1 from graph 0,first %.9g to graph 1,first %.9g nohead lt 2 linewidth 1.5\n",
                kept->critical.value, kept->critical.value);
    if (isfinite(target_step))
        fprintf(drawing->script,
                "set arrow 2 from first %.9g,graph 0 to first %.9g,graph 1 nohead lt 7 dashtype (2,4) "
                "linewidth 1.5\n",
                target_step, target_step);
}

static struct range noise_range(const struct batch_findings *findings) {
    struct range range = {0.0, 0.0};
    for (size_t network = 0; network < findings->design.network_count; ++network) {
        const struct batch_noise *noise = &findings->networks[network].noise;
        extend(&range, findings->networks[network].policies[BATCH_KEPT].critical, 1.0);
        for (size_t i = 1; i < noise->count; ++i)
            extend(&range, noise->points[i].scale, 1.0);
    }
    return range;
}

static enum exit_code draw_noise(struct drawing *drawing) {
    const struct batch_findings *findings = drawing->findings;
    char subtitle[256];
    if (!drawing_begin(drawing))
        return EXIT_CODE_FAILED;
    snprintf(subtitle, sizeof subtitle,
             "tr(covariance) / |G|² along runs of %llu images a step; band: 95 %% interval over %llu seeds",
             (unsigned long long)findings->design.reference_size,
             (unsigned long long)findings->design.tuning.judging_seeds);
    begin_panels(drawing, 1, "Gradient noise scale during training, and the critical batch size", subtitle);
    fprintf(drawing->script,
            "set xlabel 'step' offset 0,0.3\nset xtics (1, 3, 10, 30, 100, 300)\nset xrange [0.9:%.9g]\n"
            "scale(n, name) = stringcolumn('network') eq n && column('step') > 0 ? bound(name) : NaN\n",
            1.1 * (double)findings->design.noise_steps);
    write_range(drawing, noise_range(findings));
    for (size_t network = 0; network < findings->design.network_count; ++network) {
        const char *name = findings->design.networks[network]->name;
        mark_critical(drawing, &findings->networks[network].policies[BATCH_KEPT],
                      findings->networks[network].noise.target_step);
        fprintf(drawing->script, "set title '%s'\nset ylabel 'images' offset 1,0\n", figure_network(name));
        fprintf(drawing->script,
                "plot 'noise.csv' using 'step':(scale('%s', 'scale_low')):(scale('%s', 'scale_high')) "
                "with filledcurves fillcolor rgb '#b02384c8' notitle, \\\n"
                "  '' using 'step':(scale('%s', 'scale')) with lines lt 1 notitle\n",
                name, name, name);
    }
    fputs("unset arrow; unset object\n", drawing->script);
    end_panels(drawing, 1, false,
               ", \\\n  keyentry with lines lt 1 title 'gradient noise scale'"
               ", \\\n  keyentry with lines lt 2 linewidth 1.5 title 'critical batch size'"
               ", \\\n  keyentry with lines lt 7 dashtype (2,4) linewidth 1.5 title 'target loss reached'");
    return drawing_end(drawing, "noise", 860, 440);
}

enum exit_code batch_draw(const struct study_settings *settings, const struct batch_findings *findings) {
    struct drawing drawing = {.settings = settings, .findings = findings};
    enum exit_code exit_code = draw_steps(&drawing);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_samples(&drawing);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_rates(&drawing);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_noise(&drawing);
    return exit_code;
}
