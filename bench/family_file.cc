// SPDX-License-Identifier: Apache-2.0
// file/*: state saved and loaded, beside dd moving as many bytes in the same folder; and steps while a save goes on, beside
// steps alone. The folder is $TMPDIR, or else /tmp: the disk under it is what is measured.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "families.h"
#include "measure.h"
#include "walks.h"

namespace {

// A folder that goes away with everything in it.
class Folder {
  public:
    Folder() : path((std::filesystem::temp_directory_path() / "glissade-bench-XXXXXX").string()) {
        if (!mkdtemp(path.data()))
            throw std::runtime_error("no folder for files: " + path);
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;

    std::string operator/(const char *name) const {
        return path + "/" + name;
    }

  private:
    std::string path;
};

// Out of the page cache, or into it.
void advise(const std::string &path, int advice) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; // before its first round there is none
    fsync(fd);
    posix_fadvise(fd, 0, 0, advice);
    close(fd);
}

void dd(const std::string &arguments) {
    if (std::system(("dd bs=4M " + arguments + " 2>/dev/null").c_str()))
        throw std::runtime_error("dd " + arguments + " failed");
}

std::string quoted(const std::string &path) {
    return "'" + path + "'"; // temporary folders have no quotes in their names
}

// ---- saving and loading ----

void save(Subject &subject, const std::string &path) {
    check(glissade_optimizer_save(subject.get(), path.c_str(), nullptr, nullptr), "a save");
}

void load(Subject &subject, const std::string &path) {
    glissade_load_options options;
    glissade_load_options_init(&options, sizeof options);
    options.need_checksums = true;
    check(glissade_optimizer_load(subject.get(), path.c_str(), &options, nullptr), "a load");
}

// The better of dd's two ways is what counts.
void report_file(benchmark::State &state, const Turns &turns, double elements, double bytes) {
    report_time(state, turns[0], elements, bytes);
    const Interval direct = ratio_interval(turns[1], turns[0]), buffered = ratio_interval(turns[2], turns[0]);
    report_ratio(state, "of_dd", direct.median < buffered.median ? direct : buffered);
    report_ratio(state, "of_direct_dd", direct);
    report_ratio(state, "of_buffered_dd", buffered);
}

struct Measured {
    Folder folder;
    const std::string ours = folder / "state.safetensors", theirs = folder / "dd";
    const Engine engine;
    const std::shared_ptr<Arrays> arrays;
    Subject subject;
    const double elements, bytes;
    const std::string count;

    Measured(const Model &model, const Rule &rule, int states)
        : engine(settled_options(model)), arrays(arrays_for(engine, model)),
          subject(engine, arrays, f32(), rule), elements(static_cast<double>(model.elements())),
          bytes(4 * states * elements), count("count=" + std::to_string(static_cast<size_t>(bytes) >> 22)) {
        subject.step();
    }
};

void run_save(benchmark::State &state, const Model &model, const Rule &rule, int states) {
    Measured it(model, rule, states);
    const std::vector<Action> actions = {
        [&] { save(it.subject, it.ours); },
        [&] { dd("if=/dev/zero oflag=direct " + it.count + " of=" + quoted(it.theirs)); },
        [&] { dd("if=/dev/zero conv=fsync " + it.count + " of=" + quoted(it.theirs)); },
    };
    report_file(state, take_turns(state, actions), it.elements, it.bytes);
}

enum class Into {
    fresh,
    stepped
}; // an optimizer made a moment ago, as on resuming; or one that has state to lose

// The file is read that was saved, by dd, too.
void run_load(benchmark::State &state, const Model &model, const Rule &rule, int states, bool cached,
              Into into) {
    Measured it(model, rule, states);
    std::unique_ptr<Subject> fresh;
    save(it.subject, it.ours);
    const auto before = [&] {
        fresh.reset(new Subject(it.engine, it.arrays, f32(), rule));
        if (cached)
            dd("of=/dev/null if=" + quoted(it.ours));
        else
            advise(it.ours, POSIX_FADV_DONTNEED);
    };
    const std::vector<Action> actions = {
        [&] { load(into == Into::fresh ? *fresh : it.subject, it.ours); },
        [&] { dd("iflag=direct of=/dev/null if=" + quoted(it.ours)); },
        [&] { dd("of=/dev/null if=" + quoted(it.ours)); },
    };
    report_file(state, take_turns(state, actions, before), it.elements, it.bytes);
}

// ---- steps while a save goes on ----

struct During {
    double steps = 0, seconds = 0, longest = 0, stall = 0;
};

During step_during_save(Subject &subject, const std::string &path, uint64_t bytes_per_second) {
    glissade_save_options options;
    glissade_save_options_init(&options, sizeof options);
    options.bytes_per_second = bytes_per_second;
    options.keep_copy = true;
    glissade_save *save = nullptr;
    glissade_save_progress progress = {};
    progress.size = sizeof progress;
    check(glissade_optimizer_save_start(subject.get(), path.c_str(), &options, &save), "the start of a save");
    During during;
    do {
        const double seconds = seconds_of([&] { subject.step(); });
        during.steps++;
        during.seconds += seconds;
        during.longest = std::max(during.longest, seconds);
        check(glissade_save_get_progress(save, &progress), "a save's progress");
    } while (!progress.done);
    during.stall = progress.stall_seconds;
    check(glissade_save_wait(save, nullptr), "a save");
    glissade_save_destroy(&save);
    return during;
}

// One turn is a whole save with the steps beside it, then as many steps alone. The stall counts into the mean.
void run_async(benchmark::State &state, const Model &model, const Rule &rule, uint64_t bytes_per_second) {
    Measured it(model, rule, 1);
    std::vector<double> beside, alone, longest, stall;
    step_during_save(it.subject, it.ours, bytes_per_second); // makes the memory that is kept
    for (auto _ : state) {
        const During during = step_during_save(it.subject, it.ours, bytes_per_second);
        const double step = seconds_of([&] { it.subject.step(); }, static_cast<int>(during.steps));
        beside.push_back((during.seconds + during.stall) / during.steps);
        alone.push_back(step);
        longest.push_back(during.longest / step);
        stall.push_back(during.stall / step);
        state.SetIterationTime(beside.back());
    }
    report_step(state, beside, it.subject.report());
    report_ratio(state, "of_step", ratio_interval(beside, alone));
    state.counters["longest_steps"] = *std::max_element(longest.begin(), longest.end());
    state.counters["stall_steps"] = *std::max_element(stall.begin(), stall.end());
}

} // namespace

void add_file() {
    const Model model = gpt2_124m();
    const struct {
        Rule rule;
        int states;
    } rules[] = {{momentum(), 1}, {adamw(), 2}};
    for (const auto &[rule, states] : rules) {
        const Rule its = rule;
        const int its_states = states;
        const std::string name = "/" + rule.name + "/f32/" + model.name;
        add_paired("file/save" + name, 10,
                   [=](benchmark::State &state) { run_save(state, model, its, its_states); });
        const auto add_load = [&](const char *variant, bool cached, Into into) {
            add_paired("file/load" + name + variant, 10, [=](benchmark::State &state) {
                run_load(state, model, its, its_states, cached, into);
            });
        };
        add_load("", false, Into::fresh);
        add_load("/cached", true, Into::fresh);
        add_load("/over_state", false, Into::stepped);
    }
    const struct {
        const char *name;
        uint64_t bytes_per_second;
    } rates[] = {{"/unlimited", 0}, {"/400MBps", 400000000}, {"/100MBps", 100000000}};
    for (const auto &[name, rate] : rates) {
        const uint64_t its_rate = rate;
        add_counted("file/async/momentum/f32/" + model.name + name, 5,
                    [=](benchmark::State &state) { run_async(state, model, momentum(), its_rate); });
    }
}
