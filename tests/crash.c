/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Killed while saving: a child steps and saves in a loop and is killed at a random instant; whatever instant that was,
 * the path is then whole and of one step, no older than the last save that the child had reported, and the next child
 * loads it and goes on. A plain program that prints TAP; TEST_KILLS and TEST_SECONDS in the environment say how many
 * children are killed, 300 otherwise, and for how long at most, 20 otherwise. `crash --child ...` is a child.
 *
 * A kill leaves the page cache as it is: what a loss of power does is for files_replay.c.
 */
#include "files.h"
#include "stepper.h"

#include "clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 300, SECONDS = 20, CHILD_SECONDS = 120, REPORTS = 3 /* a descriptor */ };

static const char path_name[] = "state.safetensors";

/* How a child saves. */
typedef struct mode {
    const char *name;
    size_t bytes;
    uint32_t threads, keep;
    bool async, buffered;
    int where;
} mode;

static const mode modes[] = {
    {"small, on disk", 40000, 1, 0, false, false, FOLDER_DISK},
    {"large, from a team, numbered", 6000000, 2, 3, false, false, FOLDER_MEMORY},
    {"small, from a thread, numbered", 40000, 1, 3, true, false, FOLDER_DISK},
    {"small, numbered, in memory", 20000, 1, 2, false, false,
     FOLDER_MEMORY}, /* where renaming takes its share */
    {"large, from a thread", 6000000, 2, 0, true, false, FOLDER_MEMORY},
    {"large, from a team, through the page cache, on disk", 5000000, 2, 0, false, true, FOLDER_DISK},
    {"large, from a thread, around the page cache, numbered, on disk", 5000000, 1, 3, true, false,
     FOLDER_DISK},
};

enum { MODES = sizeof modes / sizeof *modes };

/* What a child says: that it has loaded a step, begins to save it, has saved it. */
typedef struct said {
    char what; /* 'L', 'S', 'D' */
    uint64_t step;
} said;

/* ---- the child ---- */

static void say(char what, uint64_t step) {
    const said words = {what, step};
    REQUIRE(write(REPORTS, &words, sizeof words) == (ssize_t)sizeof words, "nobody listens");
}

/* Steps go on while a thread writes. */
static void save_aside(stepper *it, const char *path, const glissade_save_options *options) {
    glissade_save *save;
    glissade_error error;
    const uint64_t step = it->step;
    REQUIRE(!glissade_optimizer_save_start(it->optimizer, path, options, &save), "%s",
            glissade_optimizer_message(it->optimizer));
    stepper_step(it);
    REQUIRE(!glissade_save_wait(save, &error), "%s", error.message);
    glissade_save_destroy(&save);
    say('D', step);
}

static int run_child(const mode *how, const char *path, uint64_t saves) {
    stepper it;
    glissade_engine *engine = scenario_engine(how->threads);
    stepper_create(&it, engine, how->bytes);
    alarm(CHILD_SECONDS);
    if (access(path, F_OK) == 0)
        REQUIRE(!stepper_load(&it, path), "%s: %s", path, glissade_optimizer_message(it.optimizer));
    say('L', it.step);
    for (uint64_t i = 0; i < saves; i++) {
        stepper_text text;
        glissade_file_options file;
        stepper_step(&it);
        glissade_save_options options = stepper_options(&it, &text);
        glissade_file_options_init(&file, sizeof file);
        file.keep = how->keep;
        file.number = how->keep ? it.step : 0;
        file.omit_direct = how->buffered;
        options.file = &file;
        say('S', it.step);
        if (how->async) {
            save_aside(&it, path, &options);
        } else {
            REQUIRE(!glissade_optimizer_save(it.optimizer, path, &options, NULL), "%s",
                    glissade_optimizer_message(it.optimizer));
            say('D', it.step);
        }
    }
    stepper_destroy(&it);
    glissade_engine_destroy(&engine);
    return 0;
}

/* ---- the parent ---- */

typedef struct campaign {
    const mode *how;
    folder home;
    stepper like; /* its lengths */
    const char *program;
    double cycle;   /* seconds from one save's beginning to the next's */
    uint64_t saved; /* the last step that a child reported as saved */
    unsigned kills, amid, most_temporaries;
    const char *wrong;
} campaign;

static const char *path_of(const campaign *it) {
    return folder_at(&it->home, path_name);
}

static pid_t start_child(const campaign *it, uint64_t saves, int *reports) {
    int ends[2];
    char mode_text[16], saves_text[24], path[300];
    snprintf(mode_text, sizeof mode_text, "%d", (int)(it->how - modes));
    snprintf(saves_text, sizeof saves_text, "%llu", (unsigned long long)saves);
    snprintf(path, sizeof path, "%s", path_of(it));
    REQUIRE(pipe(ends) == 0, "no pipe");
    const pid_t child = fork();
    REQUIRE(child >= 0, "no child");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], REPORTS);
        close(ends[0] == REPORTS ? -1 : ends[0]);
        execl(it->program, it->program, "--child", mode_text, path, saves_text, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    *reports = ends[0];
    return child;
}

static bool hear(int reports, said *words) {
    return read(reports, words, sizeof *words) == (ssize_t)sizeof *words;
}

/* Hears a child to its end; false if it did not end as it should. */
static bool end_child(campaign *it, pid_t child, int reports, bool killed) {
    said words, last = {'L', 0};
    int status;
    while (hear(reports, &words)) {
        if (words.what == 'D')
            it->saved = words.step;
        last = words;
    }
    close(reports);
    REQUIRE(waitpid(child, &status, 0) == child, "no child");
    it->amid += killed && last.what == 'S';
    return killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                  : WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void check(campaign *it) {
    uint64_t step = 0;
    const unsigned temporaries = (unsigned)folder_temporaries(&it->home);
    if (temporaries > it->most_temporaries)
        it->most_temporaries = temporaries;
    if (access(path_of(it), F_OK) == 0)
        it->wrong = stepper_check(&it->like, path_of(it), &step);
    if (!it->wrong && step < it->saved)
        it->wrong = "a save that was reported is lost";
    if (!it->wrong && step > it->saved + 2)
        it->wrong = "it is of a step to come";
    if (!it->wrong && temporaries > 3) /* the file, its second name, the number's former file */
        it->wrong = "temporary files pile up";
    if (!it->wrong)
        it->saved = step;
}

/* Every numbered file is whole and of its number's step. */
static void check_numbers(campaign *it) {
    char names[16384];
    snprintf(names, sizeof names, "%s", folder_names(&it->home));
    for (char *name = strtok(names, " "); name && !it->wrong; name = strtok(NULL, " "))
        if (strncmp(name, "state-", 6) == 0)
            it->wrong =
                stepper_difference(&it->like, folder_at(&it->home, name), strtoull(name + 6, NULL, 10));
}

static void pause_for(double seconds) {
    const struct timespec time = {.tv_sec = (time_t)seconds,
                                  .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

/* A child that is killed at a random instant of its first two saves or so. */
static void kill_one(campaign *it) {
    int reports;
    said words;
    const pid_t child = start_child(it, UINT64_MAX, &reports);
    if (!hear(reports, &words) || words.what != 'L') {
        it->wrong = "a child does not load what is there";
    } else {
        if (words.step != it->saved)
            it->wrong = "a child has loaded another step";
        pause_for(2.5 * it->cycle * (double)rand() / RAND_MAX);
    }
    kill(child, SIGKILL);
    if (!end_child(it, child, reports, true) && !it->wrong)
        it->wrong = "a child ended by itself";
    it->kills++;
    if (!it->wrong)
        check(it);
    if (!it->wrong && it->kills % 8 == 0)
        check_numbers(it);
}

/* A child that makes so many saves and ends, which leaves nothing beside them. */
static void run_one(campaign *it, uint64_t saves) {
    int reports;
    said words;
    const pid_t child = start_child(it, saves, &reports);
    const bool loaded = hear(reports, &words);
    const double begun = gls_seconds();
    if (!end_child(it, child, reports, false) || !loaded)
        it->wrong = "a child does not end well";
    it->cycle = (gls_seconds() - begun) / (double)saves;
    if (!it->wrong)
        check(it);
    if (!it->wrong)
        check_numbers(it);
    if (!it->wrong && folder_temporaries(&it->home))
        it->wrong = "temporary files are left";
}

static unsigned asked(const char *variable, unsigned fallback) {
    const char *text = getenv(variable);
    return text && atoi(text) > 0 ? (unsigned)atoi(text) : fallback;
}

int main(int argc, char **argv) {
    scenario_clear_environment();
    if (argc == 5 && strcmp(argv[1], "--child") == 0)
        return run_child(&modes[atoi(argv[2]) % MODES], argv[3], strtoull(argv[4], NULL, 10));

    const unsigned kills = asked("TEST_KILLS", KILLS), seconds = asked("TEST_SECONDS", SECONDS);
    static campaign campaigns[MODES];
    glissade_engine *engine = scenario_engine(1);
    const double begun = gls_seconds();
    bool passed = true;
    srand((unsigned)time(NULL));
    setenv("OMP_WAIT_POLICY", "passive", 1);
    printf("1..%d\n", (int)MODES);
    for (size_t i = 0; i < MODES; i++) {
        campaigns[i] = (campaign){.how = &modes[i], .program = argv[0]};
        folder_create(&campaigns[i].home, modes[i].where);
        stepper_create(&campaigns[i].like, engine, modes[i].bytes);
        run_one(&campaigns[i], 5);
    }
    for (unsigned i = 0; i < kills && gls_seconds() - begun < seconds; i++)
        if (!campaigns[i % MODES].wrong)
            kill_one(&campaigns[i % MODES]);
    for (size_t i = 0; i < MODES; i++) {
        campaign *it = &campaigns[i];
        if (!it->wrong)
            run_one(it, 2);
        printf("# %u kills, %u of them amid a save of about %.2f ms, up to step %llu; at most %u temporary "
               "files%s%s\n",
               it->kills, it->amid, it->cycle * 1e3, (unsigned long long)it->saved, it->most_temporaries,
               it->wrong ? "; after the last: " : "", it->wrong ? it->wrong : "");
        printf("%sok %d - %s\n", it->wrong ? "not " : "", (int)i + 1, it->how->name);
        passed &= !it->wrong;
        if (!it->wrong)
            folder_destroy(&it->home);
        stepper_destroy(&it->like);
    }
    glissade_engine_destroy(&engine);
    return passed ? 0 : 1;
}
