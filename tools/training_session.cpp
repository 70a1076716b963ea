// Steps, log, checkpoints, validation, calibration.
#include "tools/training_session.h"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "kernels/check.h"
#include "tools/field_order.h"
#include "tools/fields.h"
#include "tools/score_calibration.h"
#include "tools/training_curves.h"
#include "tools/trial_fields.h"
#include "tools/version.h"

namespace star {
namespace {

// The log's rows so far, without those after `step` (a run that stopped between two checkpoints).
std::string log_until(const std::string& path, std::int64_t step) {
    std::ifstream in(path);
    std::string kept, line;
    for (bool first = true; std::getline(in, line); first = false)
        if (first || std::atoll(line.c_str()) <= step) kept += line + "\n";
    return kept;
}

template <class T>
class TrainingSession {
public:
    TrainingSession(const TrainingOptions& options, const Common& common, const Config& config);
    int run();

private:
    void start_fresh();
    void resume();
    void checkpoint();
    void validate();
    std::string with_calibration(const std::vector<NamedTensor>& tensors);
    std::map<std::string, std::string> metadata() const;

    const TrainingOptions& options_;
    const Common& common_;
    Console console_;
    ThreadPool pool_;
    StreamOwner stream_;
    Setup setup_;
    Curriculum curriculum_;
    std::string config_, checkpoint_path_, log_path_, curves_path_, log_;
    TrainingRun run_;
    std::uint64_t seed_;
    std::unique_ptr<FieldSource> source_;
    std::unique_ptr<Trainer<T>> trainer_;
    std::vector<TrainingBatch> validation_;
    std::string validation_columns_ = ",,";
};

template <class T>
TrainingSession<T>::TrainingSession(const TrainingOptions& options, const Common& common, const Config& config)
    : options_(options),
      common_(common),
      console_(common.console()),
      pool_(common.threads),
      stream_(common.chosen_device(), &pool_),
      setup_(read_setup(config)),
      curriculum_(curriculum_of(setup_)),
      seed_(common.seed) {
    run_ = setup_.training;
    config_ = setup_.config;
    if (common.dump_config) return;

    if (options.output == "-") fail(Fault::usage, "-o -: a model needs a file, its checkpoint and log beside it");
    checkpoint_path_ = options.output + ".checkpoint";
    log_path_ = options.output + ".csv", curves_path_ = options.output + ".svg";
    AtomicFile(options.output, common.overwrite);  // fails now rather than after the training
    if (!options.resume && !common.overwrite && std::filesystem::exists(checkpoint_path_))
        fail(Fault::output, checkpoint_path_, ": exists; --resume goes on from it, --overwrite starts anew");
    source_ = std::make_unique<FieldSource>(stream_, setup_, curriculum_);
    trainer_ =
        std::make_unique<Trainer<T>>(stream_, setup_.architecture, setup_.procedure.input_scale, run_.how, seed_);
    if (options.resume)
        resume();
    else
        start_fresh();
    FieldOrder validation(~seed_, run_.fields, 0);
    for (int i = 0; i < run_.validation_batches; ++i)
        validation_.push_back(source_->batch(~seed_, validation.of(i), true));
    console_.say("network: {} parameters; {} steps of {} fields of {}x{} px; PSF FWHM {:.2f} px; {} MB; {} threads, {}",
                 trainer_->params().count(), run_.how.steps, run_.how.batch, run_.how.width, run_.how.height,
                 setup_.procedure.psf_fwhm, trainer_->memory_bytes() >> 20, pool_.threads(), device_name(stream_));
}

template <class T>
void TrainingSession<T>::start_fresh() {
    if (options_.model) {
        trainer_->params().load(stream_, [&](const std::string& name) { return options_.model->find(name); });
        console_.say("from the model {}", options_.model->name);
    }
    for (const auto& [path, whole] : {std::pair{options_.weights, true}, {options_.backbone, false}})
        if (!path.empty()) {
            const std::size_t found = load_pretrained(path, whole, stream_, trainer_->params());
            console_.say("{}: {} tensors taken", path, found);
        }
    log_ = "step,fields,rate,classes,boxes,norm,validation_classes,validation_boxes,seconds\n";
}

template <class T>
void TrainingSession<T>::resume() {
    const TensorFile file = read_safetensors(checkpoint_path_);
    const auto value = [&](const char* key) {
        const auto at = file.metadata.find(key);
        if (at == file.metadata.end())
            fail(Fault::input, checkpoint_path_, ": metadata: ", key, " is missing: not a checkpoint");
        return at->second;
    };
    if (value("config") != config_)
        fail(Fault::usage, checkpoint_path_, ": was made with another configuration; `starblend info ",
             checkpoint_path_, "` shows it");
    if (value("seed") != std::to_string(seed_))
        fail(Fault::usage, checkpoint_path_, ": was made with --seed ", value("seed"));
    if (const auto at = file.metadata.find("precision"); at != file.metadata.end() && at->second != activations_name<T>)
        fail(Fault::usage, checkpoint_path_, ": was made with --precision ", at->second);
    std::map<std::string, NamedTensor> tensors;
    for (const Tensor& t : file.tensors) tensors[t.name] = {t.name, t.shape, to_floats(t)};
    const auto find = [&](const std::string& name) {
        const auto at = tensors.find(name);
        return at == tensors.end() ? nullptr : &at->second;
    };
    const std::string step = value("step");
    if (step.empty() || step.size() > 12 || step.find_first_not_of("0123456789") != std::string::npos)
        fail(Fault::input, checkpoint_path_, ": metadata: step = ", step.substr(0, 40));
    try {
        trainer_->restore(find, std::stoll(step));
    } catch (const Error& e) {
        fail(e.fault, checkpoint_path_, ": ", e.what());
    }
    log_ = log_until(log_path_, trainer_->steps_done());
    console_.say("going on from step {}", trainer_->steps_done());
}

template <class T>
std::map<std::string, std::string> TrainingSession<T>::metadata() const {
    std::map<std::string, std::string> about = options_.metadata;
    about.insert({{"config", config_},
                  {"seed", std::to_string(seed_)},
                  {"precision", activations_name<T>},
                  {"step", std::to_string(trainer_->steps_done())},
                  {"fields", std::to_string(trainer_->steps_done() * run_.how.batch)},
                  {"program", std::string(program) + " " + version()},
                  {"commit", commit()},
                  {"command", common_.command_line},
                  {"licence", "Apache-2.0"}});
    return about;
}

template <class T>
void TrainingSession<T>::checkpoint() {
    TensorFile file;
    file.metadata = metadata();
    for (const NamedTensor& t : trainer_->state())
        file.tensors.push_back(make_tensor(t.name, t.shape, t.data, Dtype::f32));
    write_safetensors(checkpoint_path_, file, true);
    write_file(log_path_, log_.data(), log_.size(), true);
    const std::string curves = training_curves(log_);
    write_file(curves_path_, curves.data(), curves.size(), true);
}

template <class T>
void TrainingSession<T>::validate() {
    double classes = 0, boxes = 0;
    for (const auto& batch : validation_) {
        trainer_->validate(batch, true);
        const Losses l = trainer_->losses();
        classes += l.classes / double(validation_.size()), boxes += l.boxes / double(validation_.size());
    }
    validation_columns_ = fmt::format(",{:.6g},{:.6g}", classes, boxes);
    console_.say("step {}: validation loss {:.4f} (classes {:.4f}, boxes {:.4f})", trainer_->steps_done(),
                 classes + boxes, classes, boxes);
}

// The configuration with what is fixed on fields nobody trained on: the score threshold that serves best, and the
// temperature at which the class probabilities of what is above it are most likely.
template <class T>
std::string TrainingSession<T>::with_calibration(const std::vector<NamedTensor>& tensors) {
    const auto find = [&](const std::string& name) -> const NamedTensor* {
        for (const auto& t : tensors)
            if (t.name == name) return &t;
        return nullptr;
    };
    Procedure everything = setup_.procedure;
    everything.threshold = 0.02f, everything.temperature = 1;
    const Detector<T> detector(stream_, setup_.architecture, everything, find);
    std::vector<ScoredField> fields;
    constexpr int trials = 12, side = 256;
    for (int i = 0; i < trials; ++i) {  // validation's own seed, beyond the fields that validate() looks at
        const auto index = std::uint64_t(run_.validation_batches) * std::uint64_t(run_.fields) + std::uint64_t(i);
        const FieldSimulator& simulator = curriculum_[curriculum_.choice(~seed_, index)];
        auto field = detect_field<T>(stream_, detector, simulator, {side, side, setup_.margin, ~seed_, index});
        if (field) fields.push_back(std::move(field->scored));
    }
    MatchRule rule;
    rule.by = MatchRule::By::centre;
    rule.radius = 0.5 * setup_.procedure.psf_fwhm;
    const double threshold = best_threshold(fields, rule);
    for (ScoredField& field : fields) std::erase_if(field.found, [&](const Found& f) { return f.score < threshold; });
    const double temperature = best_temperature(fields, rule);
    console_.say("threshold {:.2f}: the best F1 on {} validation fields; temperature {:.3f}: the least log loss there",
                 threshold, fields.size(), temperature);
    Config c;
    c.load_text(config_, "configuration");
    c.set(fmt::format("procedure.threshold={:.2f}", threshold));
    c.set(fmt::format("procedure.temperature={:.4f}", temperature));
    return read_setup(c).config;
}

template <class T>
int TrainingSession<T>::run() {
    if (common_.dump_config) return std::fputs(config_.c_str(), stdout), 0;
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    auto saved = start;
    double simulating = 0, smooth = 0;
    FieldOrder order(seed_, run_.fields, run_.distinct);
    std::optional<TrainingBatch> next;
    const auto seconds = [](clock::time_point from) {
        return std::chrono::duration<double>(clock::now() - from).count();
    };
    for (std::int64_t step = trainer_->steps_done(); step < run_.how.steps;) {
        const auto simulate = [&](std::int64_t index) {
            const auto before = clock::now();
            next = source_->batch(seed_, order.of(index));
            simulating += seconds(before);
        };
        if (!next) simulate(step);
        trainer_->step(*next);
        step = trainer_->steps_done();
        if (step < run_.how.steps) simulate(step);  // while a GPU is at work on the step
        const Losses l = trainer_->losses();
        if (!l.finite()) {
            const bool have = std::filesystem::exists(checkpoint_path_);
            fail(Fault::internal, "step ", step, ": the loss isn't finite (classes ", l.classes, ", boxes ", l.boxes,
                 ", gradient ", l.norm, "); ",
                 have ? "the last good state is " + checkpoint_path_ : std::string("nothing was saved yet"));
        }
        smooth = smooth > 0 ? 0.98 * smooth + 0.02 * l.total() : l.total();
        validation_columns_ = ",,";
        if (step % run_.validate_every == 0 || step == run_.how.steps) validate();
        log_ += fmt::format("{},{},{:.6g},{:.6g},{:.6g},{:.6g}{},{:.1f}\n", step, step * run_.how.batch,
                            scheduled_rate(run_.how, step), l.classes, l.boxes, l.norm, validation_columns_,
                            seconds(start));
        console_.progress(
            "training", step, run_.how.steps, "step",
            fmt::format("loss {:.4f}, simulator {:.0f} % of the time", smooth, 100 * simulating / seconds(start)));
        const bool stop = interrupt::requested();
        if (stop || seconds(saved) > 60 * run_.checkpoint_minutes || step == run_.how.steps) {
            checkpoint();
            saved = clock::now();
        }
        if (stop) {
            console_.say("stopped at step {}; --resume goes on from {}", step, checkpoint_path_);
            return interrupt::exit_code();
        }
    }
    const auto tensors = trainer_->averaged_weights();
    auto about = metadata();
    about["config"] = with_calibration(tensors);
    if (interrupt::requested()) return interrupt::exit_code();  // the checkpoint holds the last step
    write_model(options_.output, tensors, about, true, common_.overwrite);
    console_.say("wrote {}, {} and {}", options_.output, log_path_, checkpoint_path_);
    return 0;
}

}  // namespace

int run_training(const TrainingOptions& options, const Common& common, const Config& config) {
    return with_activations(common, [&]<class T>() { return TrainingSession<T>(options, common, config).run(); });
}

}  // namespace star
