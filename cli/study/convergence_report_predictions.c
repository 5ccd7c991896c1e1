/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first four of docs/studies/predictions.md against the runs. A prediction is a sentence; what of it is measured,
 * and from where on it counts as held, is fixed here, at one place each. Must not judge by anything but those numbers.
 */
#include "convergence_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAXIMUM = 64, PREDICTIONS = 4 };

/* Prediction 1. Seeds of one rule differ by 5 to 10 % in loss and in steps: curves that are one but for rounding
 * should be an order of magnitude nearer in the first steps, while rounding has had little time to grow. */
static const double same_steps = 100.0, same_loss = 0.01, same_speed = 0.05;
/* Prediction 2. "Joined" is within CONVERGENCE_JOINED_WITHIN for good; "about 3" is within a factor of two of it. */
static const double joins_from = 1.5, joins_to = 6.0;

struct row {
    int prediction;
    const char *quantity, *network;
    double momentum; /* NaN: all */
    uint64_t batch;  /* 0: all */
    size_t units;    /* seeds, or pairs */
    struct interval measured;
    double from, to; /* where the prediction puts it; both NaN: told for its own sake, and decides nothing */
    enum verdict verdict;
};

struct rows {
    struct row rows[ROWS_MAXIMUM];
    size_t count;
    bool overflowed; /* rows were dropped */
};

static void add(struct rows *rows, struct row row) {
    if (rows->count == ROWS_MAXIMUM) {
        rows->overflowed = true;
        return;
    }
    if (!isnan(row.from) || !isnan(row.to))
        row.verdict = isnan(row.from) ? verdict_below(row.measured, row.to)
                                      : verdict_within(row.measured, row.from, row.to);
    rows->rows[rows->count++] = row;
}

/* ---- 1: the undebiased average is heavy ball ---- */

/* The largest relative difference of two runs' losses up to a step; one that diverged alone makes it infinite. */
static double largest_difference(const struct run_outcome *a, const struct run_outcome *b, double last_step) {
    if (a == NULL || b == NULL)
        return NAN;
    const struct run_outcome *longer = a->checkpoint_count > b->checkpoint_count ? a : b;
    double largest = 0.0;
    for (size_t i = 0; i < longer->checkpoint_count; ++i) {
        double ratio = outcome_loss_at(a, i) / outcome_loss_at(b, i);
        if ((double)longer->checkpoints[i].step > last_step)
            break;
        if (!isnan(ratio))
            largest = fmax(largest, ratio > 0.0 ? fmax(ratio, 1.0 / ratio) - 1.0 : INFINITY);
    }
    return largest;
}

static struct interval differences(const struct findings *findings, const struct sample *a,
                                   const struct sample *b, double last_step, size_t *pairs) {
    double values[TUNING_SEEDS_MAXIMUM];
    *pairs = 0;
    for (size_t i = 0; i < a->seeds; ++i) {
        double difference = largest_difference(a->outcomes[i], b->outcomes[i], last_step);
        if (!isnan(difference))
            values[(*pairs)++] = difference;
    }
    return inference_bootstrap_median(values, *pairs, findings->rounds, CONVERGENCE_BOOTSTRAP_SEED);
}

static void judge_same(const struct findings *findings, const struct line *lines, struct row row,
                       struct rows *rows) {
    const struct sample *ewma = &lines[ARM_EWMA].matched, *heavy_ball = &lines[ARM_HEAVY_BALL].matched;
    row.prediction = 1;
    row.quantity = "ewma / heavy ball: largest difference of losses up to step 100";
    row.measured = differences(findings, ewma, heavy_ball, same_steps, &row.units);
    row.from = 0.0;
    row.to = same_loss;
    add(rows, row);
    row.quantity = "ewma / heavy ball: largest difference of losses in the whole run";
    row.measured = differences(findings, ewma, heavy_ball, INFINITY, &row.units);
    row.from = row.to = NAN;
    add(rows, row);
    const struct comparison *comparison =
        comparison_find(&findings->at_matched, &lines[ARM_EWMA], ARM_HEAVY_BALL, 0);
    row.quantity = "ewma / heavy ball: steps to loss";
    row.measured = comparison->ratio;
    row.units = comparison->pairs;
    row.from = 1.0 / (1.0 + same_speed);
    row.to = 1.0 + same_speed;
    add(rows, row);
}

/* ---- 2: when the debiased average has joined it ---- */

/* How many steps later the undebiased average meets the loss target. */
static struct interval delay(const struct findings *findings, const struct line *lines, size_t *pairs) {
    double ewma[TUNING_SEEDS_MAXIMUM], debiased[TUNING_SEEDS_MAXIMUM];
    const size_t seeds = lines[ARM_EWMA].matched.seeds;
    sample_collect(&lines[ARM_EWMA].matched, outcome_steps_to_loss, ewma);
    sample_collect(&lines[ARM_DEBIASED].matched, outcome_steps_to_loss, debiased);
    *pairs = 0;
    for (size_t i = 0; i < seeds; ++i)
        if (!isnan(ewma[i] - debiased[i]))
            ewma[(*pairs)++] = ewma[i] - debiased[i];
    return inference_bootstrap_median(ewma, *pairs, findings->rounds, CONVERGENCE_BOOTSTRAP_SEED);
}

static struct interval final_ratio(const struct findings *findings, const struct line *lines, size_t *pairs) {
    double ewma[TUNING_SEEDS_MAXIMUM], debiased[TUNING_SEEDS_MAXIMUM];
    sample_collect(&lines[ARM_EWMA].matched, outcome_final_loss, ewma);
    sample_collect(&lines[ARM_DEBIASED].matched, outcome_final_loss, debiased);
    return inference_bootstrap_ratio(debiased, ewma, lines[ARM_EWMA].matched.seeds, findings->rounds,
                                     CONVERGENCE_BOOTSTRAP_SEED, pairs);
}

static struct interval scaled(struct interval interval, double factor) {
    return (struct interval){interval.value * factor, interval.low * factor, interval.high * factor};
}

static bool judge_joining(const struct findings *findings, const struct line *lines, struct row row,
                          struct rows *rows) {
    struct joined joined;
    if (!convergence_join(findings, lines, &joined))
        return false;
    row.prediction = 2;
    row.units = joined.seeds;
    row.quantity = "debiased / ewma: (1 - momentum) * step from which on losses are within 5 %";
    row.measured = scaled(joined.step, 1.0 - row.momentum);
    row.from = joins_from;
    row.to = joins_to;
    add(rows, row);
    row.from = row.to = NAN;
    row.quantity = "debiased / ewma: ratio of losses where it is furthest from 1";
    row.measured = joined.furthest;
    add(rows, row);
    row.quantity = "debiased / ewma: ratio of losses at the end";
    row.measured = final_ratio(findings, lines, &row.units);
    add(rows, row);
    row.quantity = "ewma - debiased: (1 - momentum) * steps to loss";
    row.measured = scaled(delay(findings, lines, &row.units), 1.0 - row.momentum);
    add(rows, row);
    return true;
}

/* ---- 3: debiasing beats the undampened first step early ---- */

static void add_early(const struct findings *findings, const char *quantity, double momentum, uint64_t batch,
                      const double *values, const double *references, struct rows *rows) {
    struct row row = {.prediction = 3,
                      .quantity = quantity,
                      .network = findings->design.networks[0]->name,
                      .momentum = momentum,
                      .batch = batch,
                      .from = NAN,
                      .to = 1.0};
    row.measured = inference_bootstrap_ratio(values, references, findings->design.tuning.judging_seeds,
                                             findings->rounds, CONVERGENCE_BOOTSTRAP_SEED, &row.units);
    add(rows, row);
}

static void judge_early(const struct findings *findings, struct rows *rows) {
    const struct convergence_design *design = &findings->design;
    double values[MOMENTA_MAXIMUM][BATCHES_MAXIMUM][TUNING_SEEDS_MAXIMUM], ones[TUNING_SEEDS_MAXIMUM];
    for (size_t i = 0; i < TUNING_SEEDS_MAXIMUM; ++i)
        ones[i] = 1.0;
    for (size_t m = 0; m < design->momentum_count; ++m)
        for (size_t batch = 0; batch < design->early_batch_count; ++batch) {
            early_summarise(findings, m, batch, values[m][batch]);
            add_early(findings, "debiased / undampened: early losses", design->momenta[m],
                      design->early_batches[batch], values[m][batch], ones, rows);
        }
    for (size_t m = 0; m < design->momentum_count; ++m)
        for (size_t batch = 1; batch < design->early_batch_count; ++batch)
            add_early(findings, "that ratio at the batch size below / at this one", design->momenta[m],
                      design->early_batches[batch], values[m][batch - 1], values[m][batch], rows);
    for (size_t m = 1; m < design->momentum_count; ++m)
        for (size_t batch = 0; batch < design->early_batch_count; ++batch)
            add_early(findings, "that ratio at this momentum / at the one below", design->momenta[m],
                      design->early_batches[batch], values[m][batch], values[m - 1][batch], rows);
}

/* ---- 4: debiasing tolerates less ---- */

/* The largest rate of the grid at which the seed's run did not diverge; NaN while a run is lacking. */
static double tolerated_rate(const struct findings *findings, const struct line *line, size_t seed) {
    double largest = 0.0;
    for (size_t i = 0; i < findings->design.rate_count; ++i) {
        const struct run_outcome *outcome = line->tuned[i].outcomes[seed];
        if (outcome == NULL)
            return NAN;
        if (!outcome->diverged)
            largest = findings->design.rates[i];
    }
    return largest > 0.0 ? largest : NAN;
}

/* Seeds that were drawn bring all their networks and momenta with them: those are not independent of each other. */
static double tolerance_ratio(void *context, const size_t *indices, size_t n) {
    const struct findings *findings = *(const struct findings **)context;
    double sum = 0.0, terms = 0.0;
    for (size_t i = 0; i < n; ++i)
        for (size_t network = 0; network < findings->design.network_count; ++network)
            for (size_t m = 0; m < findings->design.momentum_count; ++m) {
                const struct line *lines = findings->lines[network][m];
                double logarithm = log(tolerated_rate(findings, &lines[ARM_DEBIASED], indices[i]) /
                                       tolerated_rate(findings, &lines[ARM_EWMA], indices[i]));
                sum += isnan(logarithm) ? 0.0 : logarithm;
                terms += isnan(logarithm) ? 0.0 : 1.0;
            }
    return terms > 0.0 ? exp(sum / terms) : NAN;
}

static void judge_tolerance_of(const struct findings *findings, const struct line *lines, struct row row,
                               struct rows *rows) {
    double debiased[TUNING_SEEDS_MAXIMUM], ewma[TUNING_SEEDS_MAXIMUM];
    const size_t seeds = findings->design.tuning.tuning_seeds;
    for (size_t seed = 0; seed < seeds; ++seed) {
        debiased[seed] = tolerated_rate(findings, &lines[ARM_DEBIASED], seed);
        ewma[seed] = tolerated_rate(findings, &lines[ARM_EWMA], seed);
    }
    row.prediction = 4;
    row.quantity = "debiased / ewma: largest rate that did not diverge";
    row.from = row.to = NAN; /* tuning seeds are too few to decide it network by network */
    row.measured = inference_bootstrap_ratio(debiased, ewma, seeds, findings->rounds,
                                             CONVERGENCE_BOOTSTRAP_SEED, &row.units);
    add(rows, row);
}

static void judge_tolerance(const struct findings *findings, struct rows *rows) {
    const struct convergence_design *design = &findings->design;
    const struct row all = {.prediction = 4,
                            .quantity = "debiased / ewma: largest rate that did not diverge; geometric mean",
                            .network = "all",
                            .momentum = NAN,
                            .units = design->tuning.tuning_seeds,
                            .from = NAN,
                            .to = 1.0,
                            .measured =
                                inference_bootstrap(design->tuning.tuning_seeds, findings->rounds,
                                                    CONVERGENCE_BOOTSTRAP_SEED, tolerance_ratio, &findings)};
    add(rows, all);
    /* Equal on a grid of powers of two is nearer to each other than that, not equal. */
    struct row *added = &rows->rows[rows->count - 1];
    if (added->measured.low <= 1.0 && added->measured.high >= 1.0)
        added->verdict = VERDICT_UNDECIDED;
    /* Where one of two runs diverged and the other did not, which one was it? A count without an interval: the rates
     * of one grid share their seeds, so that its pairs are far from independent. */
    uint64_t only_debiased = 0, only_ewma = 0;
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m)
            for (size_t rate = 0; rate < design->rate_count; ++rate)
                for (size_t seed = 0; seed < design->tuning.tuning_seeds; ++seed) {
                    const struct line *lines = findings->lines[network][m];
                    const struct run_outcome *debiased = lines[ARM_DEBIASED].tuned[rate].outcomes[seed];
                    const struct run_outcome *ewma = lines[ARM_EWMA].tuned[rate].outcomes[seed];
                    if (debiased == NULL || ewma == NULL)
                        continue;
                    only_debiased += debiased->diverged && !ewma->diverged;
                    only_ewma += !debiased->diverged && ewma->diverged;
                }
    struct row alone = all;
    alone.quantity = "debiased: how many diverged, of the pairs of runs of which one did";
    alone.units = only_debiased + only_ewma;
    alone.measured = (struct interval){.value = (double)only_debiased, .low = NAN, .high = NAN};
    alone.to = NAN;
    add(rows, alone);
}

/* ---- writing ---- */

static const char *const sentences[PREDICTIONS] = {
    "the undebiased average at the matched rate is heavy ball from step 1",
    "the debiased average joins the undebiased one after about 3 / (1 - momentum) steps",
    "debiasing beats the undampened first step early, more with larger momentum and smaller batches",
    "without warm-up, debiasing tolerates a smaller largest rate than the undebiased average",
};

static bool decides(const struct row *row) {
    return !isnan(row->from) || !isnan(row->to);
}

static enum verdict conclude(const struct rows *rows, int prediction) {
    enum verdict verdicts[ROWS_MAXIMUM];
    size_t count = 0;
    for (size_t i = 0; i < rows->count; ++i)
        if (rows->rows[i].prediction == prediction && decides(&rows->rows[i]))
            verdicts[count++] = rows->rows[i].verdict;
    return verdict_all(verdicts, count);
}

static void write_row(const struct row *row, struct table *table) {
    table_count(table, (uint64_t)row->prediction);
    table_text(table, row->quantity);
    table_text(table, row->network);
    table_number(table, row->momentum);
    if (row->batch > 0)
        table_count(table, row->batch);
    else
        table_text(table, "");
    table_count(table, row->units);
    table_interval(table, row->measured);
    table_number(table, row->from);
    table_number(table, row->to);
    table_text(table, decides(row) ? verdict_names[row->verdict] : "");
    table_end_row(table);
}

static enum exit_code write(const struct findings *findings, const struct rows *rows) {
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "predictions.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    for (int i = 0; i < PREDICTIONS; ++i)
        table_comment(&table, "prediction %d, %s: %s", i + 1, sentences[i],
                      verdict_names[conclude(rows, i + 1)]);
    table_comment(
        &table,
        "A row is held if the interval of 95 %% lies within from .. to, failed if none of it does, else");
    table_comment(
        &table,
        "undecided; one without them decides nothing. A prediction is held if all its rows are, failed if");
    table_comment(&table, "one is. units: seeds or pairs of runs");
    table_columns(
        &table,
        "prediction,quantity,network,momentum,batch,units,measured,measured_low,measured_high,from,to,"
        "verdict");
    for (int prediction = 1; prediction <= PREDICTIONS; ++prediction)
        for (size_t i = 0; i < rows->count; ++i)
            if (rows->rows[i].prediction == prediction)
                write_row(&rows->rows[i], &table);
    return table_close(&table);
}

static void print(const struct rows *rows) {
    for (int prediction = 1; prediction <= PREDICTIONS; ++prediction) {
        printf("Prediction %d, %s: %s\n", prediction, sentences[prediction - 1],
               verdict_names[conclude(rows, prediction)]);
        for (size_t i = 0; i < rows->count; ++i) {
            const struct row *row = &rows->rows[i];
            if (row->prediction != prediction)
                continue;
            char batch[32] = "", momentum[32] = "", measured[TABLE_INTERVAL_SIZE];
            if (!isnan(row->momentum))
                snprintf(momentum, sizeof momentum, ", %g", row->momentum);
            if (row->batch > 0)
                snprintf(batch, sizeof batch, ", batch %d", (int)row->batch);
            printf("  %s (%s%s%s): %s%s%s\n", row->quantity, row->network, momentum, batch,
                   table_format_interval(measured, row->measured, 3), decides(row) ? ", " : "",
                   decides(row) ? verdict_names[row->verdict] : "");
        }
    }
    printf("\n");
}

enum exit_code convergence_write_predictions(const struct findings *findings) {
    const struct convergence_design *design = &findings->design;
    struct rows *rows = calloc(1, sizeof *rows);
    bool judged = rows != NULL;
    for (size_t network = 0; network < design->network_count && judged; ++network)
        for (size_t m = 0; m < design->momentum_count && judged; ++m) {
            const struct row row = {.network = design->networks[network]->name,
                                    .momentum = design->momenta[m]};
            judge_same(findings, findings->lines[network][m], row, rows);
            judged = judge_joining(findings, findings->lines[network][m], row, rows);
            judge_tolerance_of(findings, findings->lines[network][m], row, rows);
        }
    enum exit_code exit_code = EXIT_CODE_FAILED;
    if (judged) {
        judge_early(findings, rows);
        judge_tolerance(findings, rows);
        if (rows->overflowed)
            report_error("study: the predictions have more than %d rows", ROWS_MAXIMUM);
        else
            exit_code = write(findings, rows);
        if (!findings->settings->quiet && !rows->overflowed)
            print(rows);
    } else {
        report_error("study: out of memory for the report");
    }
    free(rows);
    return exit_code;
}
