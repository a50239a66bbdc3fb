#include <algorithm>
#include <initializer_list>
#include <system_error>
#include <utility>

#include "loqa/onnx/abi.hpp"
#include "loqa/onnx/model.hpp"

namespace loqa::onnx {

namespace {

// What the library made, given back to it by the slot that releases its type.
template <class T>
class held {
public:
    held(const abi::table& api, abi::slot<void(T*)> release) : api_(&api), release_(release) {}
    held(held&& other) noexcept
        : api_(other.api_), release_(other.release_), object_(std::exchange(other.object_, nullptr)) {}
    held(const held&) = delete;
    held& operator=(const held&) = delete;
    held& operator=(held&&) = delete;
    ~held() {
        if (object_) (*api_)(release_, object_);
    }

    T* get() const { return object_; }
    T** out() { return &object_; }

private:
    const abi::table* api_;
    abi::slot<void(T*)> release_;
    T* object_ = nullptr;
};

// The one place where the library's statuses become errors.
result<void> check(const abi::table& api, abi::status* raw, const fs::path& file) {
    if (!raw) return {};
    held<abi::status> status(api, abi::release_status);
    *status.out() = raw;
    const int code = api(abi::get_error_code, raw);
    const bool broken = code == abi::invalid_protobuf || code == abi::no_model;
    return fail(broken ? errc::model_truncated : errc::engine_failed, "model file {}: ONNX Runtime says: {}",
                file.string(), api(abi::get_error_message, raw))
        .hint("loqa models verify");
}

result<std::vector<std::string>> names(const abi::table& api, const abi::session* session, bool inputs,
                                       const fs::path& file) {
    abi::allocator* allocator = nullptr;
    if (auto ok = check(api, api(abi::get_default_allocator, &allocator), file); !ok) return fail(std::move(ok));
    std::size_t count = 0;
    if (auto ok = check(api, api(inputs ? abi::get_input_count : abi::get_output_count, session, &count), file); !ok)
        return fail(std::move(ok));
    std::vector<std::string> found;
    for (std::size_t i = 0; i < count; ++i) {
        char* name = nullptr;
        const auto slot = inputs ? abi::get_input_name : abi::get_output_name;
        if (auto ok = check(api, api(slot, session, i, allocator, &name), file); !ok) return fail(std::move(ok));
        found.emplace_back(name);
        if (auto ok = check(api, api(abi::allocator_free, allocator, name), file); !ok) return fail(std::move(ok));
    }
    return found;
}

class ort_model final : public model {
public:
    ort_model(abi::table api, fs::path file, options options)
        : api_(api), file_(std::move(file)), options_(std::move(options)) {}

    result<void> open() {
        held<abi::session_options> settings(api_, abi::release_session_options);
        // Its own messages say no more than the errors that it returns: only what ends the process is let through.
        if (auto ok = all({api_(abi::create_environment, abi::log_level::fatal, "loqa", environment_.out()),
                           api_(abi::create_session_options, settings.out())});
            !ok)
            return ok;
        auto* s = settings.get();
        // A memory pattern learnt from one length does not fit the next; an arena keeps for ever what the longest took.
        if (auto ok = all({api_(abi::disable_memory_pattern, s),
                           options_.keep_memory ? nullptr : api_(abi::disable_cpu_arena, s),
                           api_(abi::set_log_level, s, static_cast<int>(abi::log_level::fatal)),
                           api_(abi::set_intra_op_threads, s, options_.threads), api_(abi::set_inter_op_threads, s, 1),
                           // Waiting threads sleep: spinning takes the cores from the other engines of the machine.
                           api_(abi::add_session_entry, s, "session.intra_op.allow_spinning", "0"),
                           api_(abi::create_session, environment_.get(), file_.c_str(), s, session_.out()),
                           api_(abi::create_cpu_memory_info, abi::allocator_type::device, abi::memory_type::standard,
                                memory_.out())});
            !ok)
            return ok;
        return bind_names();
    }

    result<std::vector<tensor>> run(std::span<const tensor> inputs) override {
        if (inputs.size() != options_.inputs.size())
            return fail(errc::internal, "model file {} takes {} inputs, was given {}", file_.string(),
                        options_.inputs.size(), inputs.size());

        std::vector<held<abi::value>> in, out;
        std::vector<const abi::value*> in_raw;
        for (const auto& input : inputs) {
            auto& value = in.emplace_back(api_, abi::release_value);
            if (auto ok = wrap(input, value); !ok) return fail(std::move(ok));
            in_raw.push_back(value.get());
        }
        std::vector<abi::value*> out_raw(options_.outputs.size(), nullptr);
        auto ran = all({api_(abi::run, session_.get(), nullptr, input_names_.data(), in_raw.data(), in_raw.size(),
                             output_names_.data(), out_raw.size(), out_raw.data())});
        for (auto* raw : out_raw) *out.emplace_back(api_, abi::release_value).out() = raw;
        if (!ran) return fail(std::move(ran));

        std::vector<tensor> outputs;
        for (const auto& value : out) {
            auto unwrapped = unwrap(value.get());
            if (!unwrapped) return fail(std::move(unwrapped));
            outputs.push_back(std::move(*unwrapped));
        }
        return outputs;
    }

    std::span<const std::string> inputs() const override { return options_.inputs; }
    std::span<const std::string> outputs() const override { return options_.outputs; }

    result<std::optional<std::string>> note(const std::string& name) const override {
        held<abi::metadata> notes(api_, abi::release_metadata);
        abi::allocator* allocator = nullptr;
        if (auto ok = all(
                {api_(abi::get_default_allocator, &allocator), api_(abi::get_metadata, session_.get(), notes.out())});
            !ok)
            return fail(std::move(ok));
        char* text = nullptr;
        if (auto ok = all({api_(abi::look_up_metadata, notes.get(), allocator, name.c_str(), &text)}); !ok)
            return fail(std::move(ok));
        if (text == nullptr) return std::nullopt;
        std::optional<std::string> found(text);
        if (auto ok = all({api_(abi::allocator_free, allocator, text)}); !ok) return fail(std::move(ok));
        return found;
    }

private:
    // The first status that is not success; every one of them is released. A list in braces, since its calls are made
    // in the order they are written in.
    result<void> all(std::initializer_list<abi::status*> statuses) const {
        result<void> first;
        for (abi::status* status : statuses) {
            auto ok = check(api_, status, file_);
            if (first && !ok) first = std::move(ok);
        }
        return first;
    }

    result<void> bind_names() {
        auto inputs = names(api_, session_.get(), true, file_);
        if (!inputs) return fail(std::move(inputs));
        auto outputs = names(api_, session_.get(), false, file_);
        if (!outputs) return fail(std::move(outputs));
        if (options_.inputs.empty()) options_.inputs = *inputs;
        if (options_.outputs.empty()) options_.outputs = *outputs;

        const auto has = [](const std::vector<std::string>& list, const std::string& name) {
            return std::ranges::find(list, name) != list.end();
        };
        const auto wrong = [this](const char* what, const std::string& name) {
            return fail(errc::engine_failed, "model file {} {} '{}': it is another kind of model", file_.string(), what,
                        name)
                .hint("loqa models verify");
        };
        for (const auto& name : options_.inputs)
            if (!has(*inputs, name)) return wrong("has no input", name);
        for (const auto& name : *inputs)
            if (!has(options_.inputs, name)) return wrong("wants an input", name);
        for (const auto& name : options_.outputs)
            if (!has(*outputs, name)) return wrong("has no output", name);

        for (const auto& name : options_.inputs) input_names_.push_back(name.c_str());
        for (const auto& name : options_.outputs) output_names_.push_back(name.c_str());
        return {};
    }

    // The value refers to the tensor's memory, which the library only reads.
    result<void> wrap(const tensor& t, held<abi::value>& value) const {
        std::size_t wanted = 1;
        for (auto n : t.shape) wanted *= static_cast<std::size_t>(n);
        return std::visit(
            [&]<class T>(const std::vector<T>& v) -> result<void> {
                if (v.size() != wanted)
                    return fail(errc::internal, "a tensor of {} values has a shape of {}", v.size(), wanted);
                constexpr auto type = std::is_same_v<T, float>          ? abi::element::float32
                                      : std::is_same_v<T, std::int64_t> ? abi::element::int64
                                                                        : abi::element::boolean;
                // Nothing at all has to stand somewhere, too.
                static const T nothing{};
                auto* data = const_cast<T*>(v.empty() ? &nothing : v.data());
                return all({api_(abi::create_tensor_over, memory_.get(), data, v.size() * sizeof(T), t.shape.data(),
                                 t.shape.size(), type, value.out())});
            },
            t.values);
    }

    result<tensor> unwrap(abi::value* value) const {
        held<abi::shape_info> info(api_, abi::release_shape_info);
        if (auto ok = all({api_(abi::get_shape_info, value, info.out())}); !ok) return fail(std::move(ok));
        std::size_t dimensions = 0, count = 0;
        auto type = abi::element::undefined;
        void* data = nullptr;
        if (auto ok = all({api_(abi::get_dimension_count, info.get(), &dimensions),
                           api_(abi::get_element_count, info.get(), &count),
                           api_(abi::get_element_type, info.get(), &type), api_(abi::get_tensor_data, value, &data)});
            !ok)
            return fail(std::move(ok));
        tensor t;
        t.shape.resize(dimensions);
        if (auto ok = all({api_(abi::get_dimensions, info.get(), t.shape.data(), dimensions)}); !ok)
            return fail(std::move(ok));
        if (type == abi::element::float32) {
            const auto* first = static_cast<const float*>(data);
            t.values = std::vector<float>(first, first + count);
        } else if (type == abi::element::int64) {
            const auto* first = static_cast<const std::int64_t*>(data);
            t.values = std::vector<std::int64_t>(first, first + count);
        } else {
            return fail(errc::engine_failed,
                        "model file {} gives back elements of type {}, expected floats or integers", file_.string(),
                        static_cast<int>(type));
        }
        return t;
    }

    const abi::table api_;
    const fs::path file_;
    options options_;
    std::vector<const char*> input_names_, output_names_;  // into options_
    // In this order: the session is released before the environment that it lives in.
    held<abi::environment> environment_{api_, abi::release_environment};
    held<abi::memory_info> memory_{api_, abi::release_memory_info};
    held<abi::session> session_{api_, abi::release_session};
};

}  // namespace

std::span<const float> tensor::floats() const {
    const auto* v = std::get_if<std::vector<float>>(&values);
    return v ? std::span<const float>(*v) : std::span<const float>{};
}

std::span<const std::int64_t> tensor::integers() const {
    const auto* v = std::get_if<std::vector<std::int64_t>>(&values);
    return v ? std::span<const std::int64_t>(*v) : std::span<const std::int64_t>{};
}

result<std::unique_ptr<model>> model::load(const fs::path& file, options options) {
    std::error_code error;
    const auto bytes = fs::file_size(file, error);
    if (error)
        return fail(errc::model_missing, "model file {} cannot be read: {}", file.string(), error.message())
            .hint("loqa models pull");
    if (bytes == 0)
        return fail(errc::model_truncated, "model file {} is empty", file.string()).hint("loqa models pull");

    const void* slots = abi::OrtGetApiBase()->get_table(abi::version);
    if (!slots)
        return fail(errc::engine_failed, "the ONNX Runtime library is version {}, which is older than 1.{}",
                    runtime_version(), abi::version)
            .hint("scripts/setup.sh");
    auto loaded = std::make_unique<ort_model>(abi::table(slots), file, std::move(options));
    if (auto ok = loaded->open(); !ok) return fail(std::move(ok));
    return std::unique_ptr<model>(std::move(loaded));
}

std::string_view runtime_version() { return abi::OrtGetApiBase()->get_version(); }

}  // namespace loqa::onnx
