/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a study: what is made, what is refused, what is left behind; figures legible on light and dark.
 * Tests that draw are skipped where there is no gnuplot.
 */
#include "study/figure.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static void make_folder(void) {
    strcpy(folder, "/tmp/glissade-figure-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert(system(command) == 0);
}

TestSuite(figure, .init = make_folder, .fini = remove_folder);

static void below(char *path, size_t size, const char *name) {
    snprintf(path, size, "%s/%s", folder, name);
}

static void write_text(const char *in, const char *name, const char *text, bool force,
                       enum exit_code expected) {
    enum exit_code exit_code;
    FILE *file = figure_open(in, name, force, &exit_code);
    cr_assert_eq(exit_code, expected, "%s in %s", name, in);
    cr_assert_eq(file != NULL, expected == EXIT_CODE_OK);
    if (file == NULL)
        return;
    fputs(text, file);
    cr_assert_eq(figure_close(file, in, name), EXIT_CODE_OK);
}

/* The file's text, to be freed; NULL if there is none. */
static char *read_text(const char *in, const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", in, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    char *text = calloc(1, 1 << 20);
    cr_assert(text != NULL && fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void expect_text(const char *in, const char *name, const char *expected) {
    char *text = read_text(in, name);
    cr_assert(text != NULL && strcmp(text, expected) == 0, "%s holds '%s'", name,
              text != NULL ? text : "nothing");
    free(text);
}

/* stderr has one line, begins with "glissade: " and holds `part`. */
static void expect_one_line(const char *part) {
    char text[2048] = "";
    fflush(stderr);
    FILE *redirected = cr_get_redirected_stderr();
    size_t length = fread(text, 1, sizeof text - 1, redirected);
    cr_assert(length > 0 && strchr(text, '\n') == text + length - 1 && strncmp(text, "glissade: ", 10) == 0 &&
                  strstr(text, part) != NULL,
              "stderr: %s", text);
}

static bool have_gnuplot(void) {
    return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

/* ---- tables ---- */

Test(figure, folders_are_made) {
    char deep[128];
    below(deep, sizeof deep, "one/two words/three");
    write_text(deep, "table.csv", "a\n", false, EXIT_CODE_OK);
    expect_text(deep, "table.csv", "a\n");
}

Test(figure, what_is_there_is_kept) {
    write_text(folder, "table.csv", "a\n", false, EXIT_CODE_OK);
    cr_redirect_stderr();
    write_text(folder, "table.csv", "b\n", false, EXIT_CODE_USAGE);
    expect_text(folder, "table.csv", "a\n");
    expect_one_line("/table.csv' exists; --force replaces it");
}

Test(figure, force_replaces) {
    write_text(folder, "table.csv", "longer\n", false, EXIT_CODE_OK);
    write_text(folder, "table.csv", "b\n", true, EXIT_CODE_OK);
    expect_text(folder, "table.csv", "b\n");
}

/* A file where a folder should be: permissions would not stop root. */
Test(figure, folder_that_cannot_be) {
    char file[128];
    write_text(folder, "file", "a\n", false, EXIT_CODE_OK);
    below(file, sizeof file, "file/below");
    cr_redirect_stderr();
    write_text(file, "table.csv", "", true, EXIT_CODE_USAGE);
    expect_one_line("cannot make the folder");
}

Test(figure, folder_without_a_name) {
    cr_redirect_stderr();
    write_text("", "table.csv", "", true, EXIT_CODE_USAGE);
    expect_one_line("is empty");
}

Test(figure, folder_with_a_name_too_long) {
    char *name = malloc(5001);
    cr_assert(name != NULL);
    memset(name, 'x', 5000);
    name[5000] = '\0';
    cr_redirect_stderr();
    write_text(name, "table.csv", "", true, EXIT_CODE_USAGE);
    expect_one_line("is too long");
    free(name);
}

Test(figure, full_disk) {
    enum exit_code exit_code;
    FILE *file = figure_open("/dev", "full", true, &exit_code);
    cr_assert(file != NULL);
    fputs("a\n", file);
    cr_redirect_stderr();
    cr_assert_eq(figure_close(file, "/dev", "full"), EXIT_CODE_FAILED);
    expect_one_line("cannot write '/dev/full': No space left on device");
}

Test(figure, absent) {
    const char *const names[] = {"a.csv", "b.csv"};
    cr_assert_eq(figure_absent(folder, names, 2), EXIT_CODE_OK);
    write_text(folder, "b.csv", "", false, EXIT_CODE_OK);
    cr_redirect_stderr();
    cr_assert_eq(figure_absent(folder, names, 2), EXIT_CODE_USAGE);
    expect_one_line("b.csv' exists");
}

/* ---- figures ---- */

static const char script[] = "plot 'table.csv' using 'x':'y' with linespoints title 'line'\n";

static void write_table(const char *in) {
    write_text(in, "table.csv", "# a heading\nx,y\n1,2\n2,4\n3,nan\n4,1\n", true, EXIT_CODE_OK);
}

Test(figure, draws_the_same_twice) {
    if (!have_gnuplot())
        cr_skip_test("no gnuplot");
    char other[128];
    below(other, sizeof other, "it's a $(false) \"folder\"");
    write_table(folder);
    write_table(other);
    cr_assert_eq(figure_draw(folder, "figure", 400, 300, script), EXIT_CODE_OK);
    cr_assert_eq(figure_draw(other, "figure", 400, 300, script), EXIT_CODE_OK);
    char *text = read_text(folder, "figure.svg");
    cr_assert(text != NULL && strstr(text, "</svg>") != NULL &&
              strstr(text, "width=\"400\" height=\"300\"") != NULL);
    cr_assert(strstr(text, folder) == NULL, "the figure tells its folder");
    cr_assert(!figure_missing());
    expect_text(other, "figure.svg", text);
    free(text);
}

Test(figure, failure_keeps_the_last_figure) {
    if (!have_gnuplot())
        cr_skip_test("no gnuplot");
    write_text(folder, "figure.svg", "earlier\n", false, EXIT_CODE_OK);
    cr_redirect_stderr();
    cr_assert_eq(figure_draw(folder, "figure", 400, 300, "plot sin(x)\nplot nonsense\n"), EXIT_CODE_FAILED);
    expect_text(folder, "figure.svg", "earlier\n");
    expect_one_line("gnuplot cannot draw figure.svg: line 0: undefined variable: nonsense");
    cr_assert(rmdir(folder) != 0);
    char path[128];
    below(path, sizeof path, "figure.svg");
    cr_assert(unlink(path) == 0 && rmdir(folder) == 0, "something unfinished was left behind");
}

Test(figure, no_gnuplot_is_remembered) {
    setenv("PATH", folder, 1);
    cr_redirect_stderr();
    cr_assert(!figure_missing());
    for (int i = 0; i < 2; ++i)
        cr_assert_eq(figure_draw(folder, "figure", 400, 300, script), EXIT_CODE_OK);
    setenv("PATH", "/usr/bin:/bin", 1);
    cr_assert(figure_missing());
    expect_one_line("note: gnuplot is not installed");
    cr_assert(rmdir(folder) == 0, "something was left behind");
}

Test(figure, networks) {
    cr_assert_str_eq(figure_network("small-mlp"), "perceptron");
    cr_assert_str_eq(figure_network("conv"), "convolutional");
    cr_assert_str_eq(figure_network("mlp"), "mlp");
}

/* ---- colours ---- */

static double luminance(unsigned rgb) {
    static const double weights[] = {0.0722, 0.7152, 0.2126};
    double sum = 0.0;
    for (int i = 0; i < 3; ++i) {
        double channel = (rgb >> 8 * i & 0xff) / 255.0;
        sum += weights[i] * (channel <= 0.04045 ? channel / 12.92 : pow((channel + 0.055) / 1.055, 2.4));
    }
    return sum;
}

/* Every opaque colour of the preamble on white and on GitHub's dark; WCAG 2.1 asks graphics for 3. */
Test(figure, colours_stand_out) {
    const double dark = luminance(0x0d1117);
    int colours = 0;
    for (const char *at = strchr(figure_preamble, '#'); at != NULL; at = strchr(at + 1, '#')) {
        int digits = 0;
        while (isxdigit((unsigned char)at[1 + digits]))
            ++digits;
        if (digits != 6)
            continue;
        ++colours;
        double own = luminance((unsigned)strtoul(at + 1, NULL, 16));
        double on_white = 1.05 / (own + 0.05), on_dark = (own + 0.05) / (dark + 0.05);
        cr_assert(on_white > 3.4 && on_dark > 3.4, "%.7s: %.2f on white, %.2f on dark", at, on_white,
                  on_dark);
    }
    cr_assert(colours >= 9);
}
