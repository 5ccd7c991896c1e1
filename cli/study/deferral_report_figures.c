/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deferral study's figures. gnuplot reads the tables. Must not compute anything.
 */
#include "deferral_report.h"
#include "figure.h"

#include <math.h>
#include <stdlib.h>

/* A row that is not asked for becomes NaN, which is not drawn. Bounds end at the edges of the panel, which scripts
 * set; a median of inf has no place. */
static const char preamble[] =
    "set style data yerrorlines\n"
    "set errorbars 0.6\n"
    "set xlabel offset 0,0.3\n"
    "set ylabel offset 1,0\n"
    "set title offset 0,-0.6\n"
    "bottom = -1e30; top = 1e30\n"
    "row(n, m) = stringcolumn('network') eq n && column('momentum') == m\n"
    "of(n, m, h) = row(n, m) && stringcolumn('handling') eq h\n"
    "number(name) = column(name) < 1e30 ? column(name) : NaN\n"
    "bound(name) = column(name) > top ? top : column(name) < bottom ? bottom : column(name)\n";

/* A script under way, and what becomes of it. */
struct drawing {
    const struct study_settings *settings;
    const struct deferral_findings *findings;
    FILE *script;
    char *text;
    size_t length;
};

static bool drawing_begin(struct drawing *drawing) {
    drawing->text = NULL;
    drawing->script = open_memstream(&drawing->text, &drawing->length);
    if (drawing->script != NULL)
        fputs(preamble, drawing->script);
    else
        report_error("study deferral: out of memory");
    return drawing->script != NULL;
}

static enum exit_code drawing_end(struct drawing *drawing, const char *name, int width, int height) {
    bool written = !ferror(drawing->script);
    enum exit_code exit_code = EXIT_CODE_FAILED;
    if (fclose(drawing->script) == 0 && written)
        exit_code = figure_draw(drawing->settings->output, name, width, height, drawing->text);
    else
        report_error("study deferral: out of memory");
    free(drawing->text);
    return exit_code;
}

/* Panels over room for a legend of two lines. */
static void begin_panels(struct drawing *drawing, size_t rows, size_t columns, const char *title,
                         const char *subtitle) {
    fprintf(drawing->script,
            "set multiplot layout %zu,%zu margins 0.08,0.985,%s,%s spacing %s,%s title \\\n"
            "  \"{/:Bold %s}\\n{/=12 %s}\" font ',15' textcolor rgb ink\n"
            "unset key\n",
            rows, columns, rows > 1 ? "0.16" : "0.27", rows > 1 ? "0.865" : "0.78",
            columns > 2 ? "0.045" : "0.09", rows > 1 ? "0.14" : "0", title, subtitle);
}

static void write_title(struct drawing *drawing, const char *network, double momentum) {
    fprintf(drawing->script, "set title '%s, ", figure_network(network));
    if (momentum > 0.0)
        fprintf(drawing->script, "β = %g'\n", momentum);
    else
        fputs("no momentum'\n", drawing->script);
}

/* The legend below the panels; ends the picture. */
static void end_panels(struct drawing *drawing, const char *entries) {
    fprintf(drawing->script,
            "set origin 0,0; set size 1,0.1; set lmargin 0; set rmargin 0; set tmargin 0; set bmargin 0\n"
            "unset title; unset xlabel; unset ylabel; unset border; unset tics; unset grid; unset arrow\n"
            "unset logscale; set xrange [0:1]; set yrange [0:1]\n"
            "set key at screen 0.5,0.045 center center horizontal maxrows 2 Left reverse spacing 1.25 "
            "samplen 3.5\n"
            "plot NaN notitle%s\nunset multiplot\n",
            entries);
}

/*
 * Accuracies from the best down to what the larger batches and deferral come to, but no further than `depth` below
 * the best: dropping may fall to a tenth, and would leave the others no room.
 */
static void write_accuracy_range(struct drawing *drawing) {
    const struct deferral_design *design = &drawing->findings->design;
    const double depth = 0.16;
    double best = -INFINITY, worst = INFINITY;
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            const struct deferral_group *group = &drawing->findings->groups[network][m];
            for (size_t i = 0; i < group->batch_count; ++i) {
                best = fmax(best, group->batches[i].final_accuracy.high);
                worst = fmin(worst, group->batches[i].final_accuracy.low);
            }
            for (int handling = HANDLING_DEFER; handling <= HANDLING_DROP; ++handling)
                for (size_t i = 0; i < design->threshold_count; ++i) {
                    best = fmax(best, group->handled[handling][i].final_accuracy.high);
                    worst = fmin(worst, group->handled[handling][i].final_accuracy.low);
                }
        }
    if (isinf(best) || isinf(worst)) {
        best = 1.0;
        worst = 0.0;
    }
    worst = fmax(worst, best - depth);
    fprintf(drawing->script, "bottom = %.9g; top = %.9g\nset yrange [bottom:top]\n",
            worst - 0.04 * (best - worst), best + 0.04 * (best - worst));
}

/* ---- accuracy.svg ---- */

/* From the fewest updates of an element in any cell to those of runs in which all act. */
static void write_updates_range(struct drawing *drawing) {
    const struct deferral_design *design = &drawing->findings->design;
    const double most = (double)(design->images_seen / design->run.batch);
    double fewest = (double)(design->images_seen / design->batches[design->batch_count - 1]);
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m)
            for (int handling = HANDLING_DEFER; handling <= HANDLING_DROP; ++handling)
                for (size_t i = 0; i < design->threshold_count; ++i) {
                    double share = drawing->findings->groups[network][m].handled[handling][i].acted.value;
                    if (share > 0.0)
                        fewest = fmin(fewest, share * most);
                }
    fprintf(drawing->script, "set xrange [%.9g:%.9g]\n", fewest / 1.25, most * 1.25);
}

static enum exit_code draw_accuracy(struct drawing *drawing) {
    const struct deferral_design *design = &drawing->findings->design;
    char subtitle[256];
    if (!drawing_begin(drawing))
        return EXIT_CODE_FAILED;
    snprintf(
        subtitle, sizeof subtitle,
        "every run saw %llu images; medians of %llu seeds with 95 %% intervals; what lies lower is cut off",
        (unsigned long long)design->images_seen, (unsigned long long)design->tuning.judging_seeds);
    begin_panels(drawing, design->network_count, design->momentum_count,
                 "Final accuracy against the updates that acted on an element", subtitle);
    fputs("set xtics (1, 3, 10, 30, 100, 300, 1000)\nset logscale x\nset xlabel 'acting updates of an "
          "element'\nset ylabel 'test accuracy'\n",
          drawing->script);
    write_updates_range(drawing);
    write_accuracy_range(drawing);
    const char *columns =
        "(number('final_accuracy')):(bound('final_accuracy_low')):(bound('final_accuracy_high'))";
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            const char *name = design->networks[network]->name;
            write_title(drawing, name, design->momenta[m]);
            fprintf(drawing->script,
                    "plot 'batches.csv' using (row('%s', %g) ? column('updates') : NaN):%s lt 7 notitle, \\\n"
                    "  'thresholds.csv' using (of('%s', %g, 'drop') ? column('updates') : NaN):%s lt 2 "
                    "notitle, \\\n"
                    "  '' using (of('%s', %g, 'defer') ? column('updates') : NaN):%s lt 1 notitle\n",
                    name, design->momenta[m], columns, name, design->momenta[m], columns, name,
                    design->momenta[m], columns);
        }
    end_panels(drawing, ", keyentry with linespoints lt 1 title 'small elements deferred'"
                        ", keyentry with linespoints lt 2 title 'small elements dropped'"
                        ", keyentry with linespoints lt 7 title 'larger batches, all act'");
    return drawing_end(drawing, "accuracy", 860, design->network_count > 1 ? 720 : 460);
}

/* ---- thresholds.svg ---- */

static void plot_thresholds(struct drawing *drawing, const char *network, double momentum,
                            const char *quantity) {
    static const char *const handlings[] = {"drop", "defer"};
    fputs("plot NaN notitle", drawing->script);
    for (int i = 0; i < 2; ++i)
        fprintf(
            drawing->script,
            ", \\\n  'thresholds.csv' using (of('%s', %g, '%s') ? column('threshold') : NaN):(number('%s'))"
            ":(bound('%s_low')):(bound('%s_high')) lt %d notitle",
            network, momentum, handlings[i], quantity, quantity, quantity, 2 - i);
    fputc('\n', drawing->script);
}

/* A line at what runs without a threshold come to. */
static void mark_act(struct drawing *drawing, struct interval interval) {
    fputs("unset arrow\n", drawing->script);
    if (isfinite(interval.value))
        fprintf(drawing->script,
                "set arrow 1 from graph 0,first %.9g to graph 1,first %.9g nohead lt 7 dashtype (2,4) "
                "linewidth 1.5 "
                "back\n",
                interval.value, interval.value);
}

static void write_steps_range(struct drawing *drawing) {
    const struct deferral_design *design = &drawing->findings->design;
    double least = INFINITY;
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            const struct deferral_group *group = &drawing->findings->groups[network][m];
            least = fmin(least, group->batches[0].to_loss.low);
            for (int handling = HANDLING_DEFER; handling <= HANDLING_DROP; ++handling)
                for (size_t i = 0; i < design->threshold_count; ++i)
                    least = fmin(least, group->handled[handling][i].to_loss.low);
        }
    const double most = 1.1 * (double)(design->images_seen / design->run.batch);
    fprintf(drawing->script, "bottom = %.9g; top = %.9g\nset yrange [bottom:top]\n",
            isfinite(least) ? least / 1.2 : most / 100.0, most);
}

static enum exit_code draw_thresholds(struct drawing *drawing) {
    const struct deferral_design *design = &drawing->findings->design;
    char subtitle[256];
    if (!drawing_begin(drawing))
        return EXIT_CODE_FAILED;
    snprintf(subtitle, sizeof subtitle,
             "medians of %llu seeds with 95 %% intervals; what lies below the panel, or was never reached, "
             "is left out",
             (unsigned long long)design->tuning.judging_seeds);
    begin_panels(drawing, 2, design->network_count * design->momentum_count,
                 "What a threshold does to accuracy and speed", subtitle);
    fprintf(drawing->script,
            "set logscale x 2\nset xrange [%.9g:%.9g]\nset xtics 4\nset xlabel 'threshold (gradient RMS)'\n",
            design->thresholds[0] / 1.3, design->thresholds[design->threshold_count - 1] * 1.3);
    for (int steps = 0; steps < 2; ++steps) {
        if (steps)
            write_steps_range(drawing);
        else
            write_accuracy_range(drawing);
        fprintf(drawing->script,
                steps ? "set logscale y\nset ylabel 'steps to loss %g'\n" : "set ylabel 'test accuracy'\n",
                design->run.loss_target);
        for (size_t network = 0; network < design->network_count; ++network)
            for (size_t m = 0; m < design->momentum_count; ++m) {
                const char *name = design->networks[network]->name;
                const struct deferral_sample *act = &drawing->findings->groups[network][m].batches[0];
                write_title(drawing, name, design->momenta[m]);
                mark_act(drawing, steps ? act->to_loss : act->final_accuracy);
                plot_thresholds(drawing, name, design->momenta[m],
                                steps ? "steps_to_loss" : "final_accuracy");
                fputs("set ylabel ''\n", drawing->script);
            }
    }
    end_panels(drawing, ", keyentry with linespoints lt 1 title 'deferred'"
                        ", keyentry with linespoints lt 2 title 'dropped'"
                        ", keyentry with lines lt 7 dashtype (2,4) linewidth 1.5 title 'all act'");
    return drawing_end(drawing, "thresholds", 900, 620);
}

/* ---- shares.svg ---- */

static enum exit_code draw_shares(struct drawing *drawing) {
    const struct deferral_design *design = &drawing->findings->design;
    char entries[2048] = "";
    int length = 0;
    char subtitle[256];
    if (!drawing_begin(drawing))
        return EXIT_CODE_FAILED;
    snprintf(subtitle, sizeof subtitle, "medians of %llu seeds, each the mean since the last checkpoint",
             (unsigned long long)design->tuning.judging_seeds);
    begin_panels(drawing, design->network_count, design->momentum_count,
                 "Share of elements that act in a step of deferral", subtitle);
    fprintf(drawing->script,
            "set style data lines\nset logscale xy\nset format y '10^{%%T}'\nset xrange [1:%.9g]\n"
            "set xlabel 'step'\nset ylabel 'share that acts'\nset yrange [0.0002:1.2]\n",
            1.1 * (double)(design->images_seen / design->run.batch));
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            const char *name = design->networks[network]->name;
            write_title(drawing, name, design->momenta[m]);
            fputs("plot NaN notitle", drawing->script);
            for (size_t i = 0; i < design->threshold_count; ++i)
                fprintf(drawing->script,
                        ", \\\n  'shares.csv' using (of('%s', %g, 'defer') && column('threshold') == %.9g ? "
                        "column('step') : NaN):(number('acted')) lt %zu notitle",
                        name, design->momenta[m], design->thresholds[i], i + 1);
            fputc('\n', drawing->script);
        }
    for (size_t i = 0; i < design->threshold_count; ++i)
        length += snprintf(entries + length, sizeof entries - (size_t)length,
                           ", keyentry with lines lt %zu title '%g RMS'", i + 1, design->thresholds[i]);
    end_panels(drawing, entries);
    return drawing_end(drawing, "shares", 860, design->network_count > 1 ? 720 : 460);
}

enum exit_code deferral_draw(const struct study_settings *settings,
                             const struct deferral_findings *findings) {
    struct drawing drawing = {.settings = settings, .findings = findings};
    enum exit_code exit_code = draw_accuracy(&drawing);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_thresholds(&drawing);
    if (exit_code == EXIT_CODE_OK)
        exit_code = draw_shares(&drawing);
    return exit_code;
}
