/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a study, and gnuplot behind its figures. gnuplot is started directly: no shell reads a folder's
 * name. Must not know what is in the files.
 */
#include "figure.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Contrast on white and on #0d1117, by WCAG 2.1: the grey has 4.2 and 4.5, every line 3.4 to 5.6. Okabe and
 * Ito's (2008) vermilion and bluish green are as they are; their blue is too dark for the one background, and
 * orange, sky blue and yellow, at less than 2.5, too light for the other: neighbours of middle lightness
 * stand in.
 */
const char figure_preamble[] =
    "set encoding utf8\n"
    "ink = '#7b7b7b'; faint = '#587b7b7b'; ghost = '#c07b7b7b'\n"
    "set linetype 1 linecolor rgb '#2384c8' linewidth 2 dashtype solid pointtype 7 pointsize 0.6\n"
    "set linetype 2 linecolor rgb '#d55e00' linewidth 2 dashtype '-' pointtype 5 pointsize 0.6\n"
    "set linetype 3 linecolor rgb '#009e73' linewidth 2 dashtype '_.' pointtype 9 pointsize 0.7\n"
    "set linetype 4 linecolor rgb '#c05a9c' linewidth 2 dashtype '.' pointtype 13 pointsize 0.7\n"
    "set linetype 5 linecolor rgb '#a87900' linewidth 2 dashtype '_..' pointtype 11 pointsize 0.7\n"
    "set linetype 6 linecolor rgb '#7b68d8' linewidth 2 dashtype '--_' pointtype 6 pointsize 0.7\n"
    "set linetype 7 linecolor rgb '#7b7b7b' linewidth 2 dashtype solid pointtype 4 pointsize 0.7\n"
    "set linetype 8 linecolor rgb '#c8414b' linewidth 2 dashtype '_' pointtype 8 pointsize 0.7\n"
    "set border 3 linewidth 1 linecolor rgb ink\n"
    "set tics nomirror scale 0.6 textcolor rgb ink\n"
    "set grid linetype -1 linewidth 0.75 linecolor rgb ghost dashtype solid\n"
    "set title textcolor rgb ink\n"
    "set xlabel textcolor rgb ink\n"
    "set ylabel textcolor rgb ink\n"
    "set y2label textcolor rgb ink\n"
    "set key noopaque textcolor rgb ink samplen 2.5\n"
    "set datafile separator comma\n"
    "set datafile commentschars '#'\n"
    "set datafile missing 'nan'\n"
    "set datafile columnheaders\n";

static bool missing; /* a figure, for want of gnuplot */

static bool join(const char *folder, const char *name, char path[PATH_MAX]) {
    if (folder[0] != '\0' && snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX)
        return true;
    if (folder[0] == '\0')
        report_error("cannot use a folder whose name is empty");
    else
        report_error("cannot use the folder '%.60s...': its name is too long", folder);
    return false;
}

/* What the caller's choice of folder is not to blame for, such as a full disk. */
static enum exit_code code_of(int problem) {
    return problem == ENOSPC || problem == EDQUOT || problem == EIO || problem == EMFILE ||
                   problem == ENFILE || problem == ENOMEM
               ? EXIT_CODE_FAILED
               : EXIT_CODE_USAGE;
}

/* Makes each folder of a path that ends in a file's name. */
static enum exit_code make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        /* What exists may be refused for other reasons than EEXIST, as on a file system mounted read-only. */
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            int problem = errno;
            struct stat status;
            if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
                report_error("cannot make the folder '%s': %s", path, strerror(problem));
                return code_of(problem);
            }
        }
        *slash = '/';
    }
    return EXIT_CODE_OK;
}

FILE *figure_open(const char *folder, const char *name, bool force, enum exit_code *exit_code) {
    char path[PATH_MAX];
    *exit_code = EXIT_CODE_USAGE;
    if (!join(folder, name, path))
        return NULL;
    *exit_code = make_folders(path);
    if (*exit_code != EXIT_CODE_OK)
        return NULL;
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0666);
    FILE *stream = file >= 0 ? fdopen(file, "w") : NULL;
    if (stream != NULL)
        return stream;
    int problem = errno;
    if (file >= 0)
        close(file);
    *exit_code = code_of(problem);
    if (problem == EEXIST)
        report_error("'%s' exists; --force replaces it", path);
    else
        report_error("cannot write '%s': %s", path, strerror(problem));
    return NULL;
}

enum exit_code figure_close(FILE *file, const char *folder, const char *name) {
    bool written = fflush(file) == 0 && !ferror(file);
    int problem = errno;
    if (fclose(file) != 0 && written) {
        written = false;
        problem = errno;
    }
    if (written)
        return EXIT_CODE_OK;
    report_error("cannot write '%s/%s': %s", folder, name, strerror(problem));
    return EXIT_CODE_FAILED;
}

enum exit_code figure_absent(const char *folder, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        char path[PATH_MAX];
        struct stat status;
        if (!join(folder, names[i], path))
            return EXIT_CODE_USAGE;
        if (lstat(path, &status) == 0) {
            report_error("'%s' exists; --force replaces it", path);
            return EXIT_CODE_USAGE;
        }
    }
    return EXIT_CODE_OK;
}

/* Starts gnuplot on open files, in the folder; returns an error number or 0. */
static int start(const char *folder, int script, int drawing, int messages, pid_t *process) {
    /* -d: no ~/.gnuplot, or the figures would depend on who draws them. */
    char program[] = "gnuplot", defaults[] = "-d";
    char *const arguments[] = {program, defaults, NULL};
    posix_spawn_file_actions_t actions;
    int problem = posix_spawn_file_actions_init(&actions);
    if (problem != 0)
        return problem;
    if ((problem = posix_spawn_file_actions_addchdir_np(&actions, folder)) == 0 &&
        (problem = posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO)) == 0 &&
        (problem = posix_spawn_file_actions_adddup2(&actions, drawing, STDOUT_FILENO)) == 0 &&
        (problem = posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO)) == 0)
        problem = posix_spawnp(process, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

/* The last line that is not blank: gnuplot shows the command and a caret before it says what is wrong. */
static void last_line(FILE *messages, char *line, size_t size) {
    char candidate[512];
    line[0] = '\0';
    rewind(messages);
    while (fgets(candidate, sizeof candidate, messages) != NULL) {
        const char *text = candidate + strspn(candidate, " \t\r\n");
        if (*text != '\0')
            snprintf(line, size, "%.*s", (int)strcspn(text, "\r\n"), text);
    }
}

static enum exit_code draw_into(const char *folder, const char *name, int drawing, FILE *script,
                                FILE *messages) {
    pid_t process;
    int problem = start(folder, fileno(script), drawing, fileno(messages), &process);
    if (problem == ENOENT || problem == EACCES) {
        if (!missing)
            fprintf(stderr, "glissade: note: gnuplot is not installed (Debian package gnuplot-nox); "
                            "tables are written, figures are not\n");
        missing = true;
        return EXIT_CODE_OK;
    }
    int status = 0;
    if (problem == 0)
        while (waitpid(process, &status, 0) < 0 && problem == 0)
            problem = errno == EINTR ? 0 : errno;
    if (problem != 0) {
        report_error("cannot run gnuplot for %s.svg: %s", name, strerror(problem));
        return EXIT_CODE_FAILED;
    }
    char line[512];
    last_line(messages, line, sizeof line);
    struct stat drawn;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && fstat(drawing, &drawn) == 0 && drawn.st_size > 0)
        return EXIT_CODE_OK;
    report_error("gnuplot cannot draw %s.svg: %s", name,
                 line[0] != '\0' ? line : "it ended without a message");
    return EXIT_CODE_FAILED;
}

enum exit_code figure_draw(const char *folder, const char *name, int width, int height, const char *script) {
    char path[PATH_MAX], unfinished[PATH_MAX], file_name[NAME_MAX];
    snprintf(file_name, sizeof file_name, "%s.svg", name);
    if (!join(folder, file_name, path))
        return EXIT_CODE_USAGE;
    snprintf(file_name, sizeof file_name, ".%s.svg.unfinished", name);
    if (!join(folder, file_name, unfinished))
        return EXIT_CODE_USAGE;
    FILE *input = tmpfile(), *messages = tmpfile();
    int drawing = open(unfinished, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    enum exit_code exit_code = EXIT_CODE_FAILED;
    if (input == NULL || messages == NULL || drawing < 0) {
        report_error("cannot draw '%s': %s", path, strerror(errno));
    } else {
        fprintf(input, "set terminal svg size %d,%d fixed enhanced font 'sans-serif,13' linewidth 1\n%s%s",
                width, height, figure_preamble, script);
        /* The child's standard input is this file at this offset. */
        rewind(input);
        exit_code = draw_into(folder, name, drawing, input, messages);
    }
    struct stat drawn;
    bool finished = exit_code == EXIT_CODE_OK && fstat(drawing, &drawn) == 0 && drawn.st_size > 0;
    if (finished && rename(unfinished, path) != 0) {
        report_error("cannot write '%s': %s", path, strerror(errno));
        exit_code = EXIT_CODE_FAILED;
        finished = false;
    }
    if (drawing >= 0) {
        close(drawing);
        if (!finished)
            unlink(unfinished);
    }
    if (input != NULL)
        fclose(input);
    if (messages != NULL)
        fclose(messages);
    return exit_code;
}

bool figure_missing(void) {
    return missing;
}

const char *figure_network(const char *name) {
    return strcmp(name, "small-mlp") == 0 ? "perceptron" : strcmp(name, "conv") == 0 ? "convolutional" : name;
}
