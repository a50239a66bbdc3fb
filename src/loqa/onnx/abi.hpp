// The part of ONNX Runtime's C ABI that runtime.cpp calls, and no other file.
//
// The library gives out a table of function pointers. A slot of it never moves and never changes its type: new
// functions are appended, and a caller names the version of the table that it was written for. So a slot is its index
// and its signature, and nothing else of the library's headers is needed. docs/adr/0002-ort-abi.md says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace loqa::onnx::abi {

// Opaque: made, held and released by the library.
struct allocator;
struct environment;
struct memory_info;
struct metadata;
struct run_options;
struct session;
struct session_options;
struct shape_info;
struct status;  // null is success
struct value;

enum class element : int { undefined = 0, float32 = 1, int64 = 7, boolean = 9 };
enum class log_level : int { verbose, info, warning, error, fatal };
enum class allocator_type : int { device = 0, arena = 1 };
enum class memory_type : int { standard = 0 };

// Codes of a status: files that are no whole model.
inline constexpr int no_model = 3;
inline constexpr int invalid_protobuf = 7;

template <class Signature>
struct slot {
    std::size_t index;
};

inline constexpr slot<int(const status*)> get_error_code{1};
inline constexpr slot<const char*(const status*)> get_error_message{2};
inline constexpr slot<status*(log_level, const char* name, environment**)> create_environment{3};
inline constexpr slot<status*(const environment*, const char* path, const session_options*, session**)> create_session{
    7};
inline constexpr slot<status*(session*, const run_options*, const char* const* input_names, const value* const* inputs,
                              std::size_t input_count, const char* const* output_names, std::size_t output_count,
                              value** outputs)>
    run{9};
inline constexpr slot<status*(session_options**)> create_session_options{10};
inline constexpr slot<status*(session_options*)> disable_memory_pattern{17};
inline constexpr slot<status*(session_options*)> disable_cpu_arena{19};
inline constexpr slot<status*(session_options*, int)> set_log_level{22};
inline constexpr slot<status*(session_options*, int)> set_intra_op_threads{24};
inline constexpr slot<status*(session_options*, int)> set_inter_op_threads{25};
inline constexpr slot<status*(const session*, std::size_t*)> get_input_count{30};
inline constexpr slot<status*(const session*, std::size_t*)> get_output_count{31};
inline constexpr slot<status*(const session*, std::size_t index, allocator*, char**)> get_input_name{36};
inline constexpr slot<status*(const session*, std::size_t index, allocator*, char**)> get_output_name{37};
inline constexpr slot<status*(const memory_info*, void* data, std::size_t bytes, const std::int64_t* shape,
                              std::size_t dimensions, element, value**)>
    create_tensor_over{49};
inline constexpr slot<status*(value*, void**)> get_tensor_data{51};
inline constexpr slot<status*(const shape_info*, element*)> get_element_type{60};
inline constexpr slot<status*(const shape_info*, std::size_t*)> get_dimension_count{61};
inline constexpr slot<status*(const shape_info*, std::int64_t*, std::size_t)> get_dimensions{62};
inline constexpr slot<status*(const shape_info*, std::size_t*)> get_element_count{64};
inline constexpr slot<status*(const value*, shape_info**)> get_shape_info{65};
inline constexpr slot<status*(allocator_type, memory_type, memory_info**)> create_cpu_memory_info{69};
inline constexpr slot<status*(allocator*, void*)> allocator_free{76};
inline constexpr slot<status*(allocator**)> get_default_allocator{78};  // not released: the library's own
inline constexpr slot<void(environment*)> release_environment{92};
inline constexpr slot<void(status*)> release_status{93};
inline constexpr slot<void(memory_info*)> release_memory_info{94};
inline constexpr slot<void(session*)> release_session{95};
inline constexpr slot<void(value*)> release_value{96};
inline constexpr slot<void(shape_info*)> release_shape_info{99};
inline constexpr slot<void(session_options*)> release_session_options{100};
inline constexpr slot<status*(const session*, metadata**)> get_metadata{111};
inline constexpr slot<status*(const metadata*, allocator*, const char* key, char** value)> look_up_metadata{116};
inline constexpr slot<void(metadata*)> release_metadata{118};
inline constexpr slot<status*(session_options*, const char* key, const char* value)> add_session_entry{130};

// The table that has every slot above.
inline constexpr std::uint32_t version = 17;

class table {
public:
    explicit table(const void* slots) : slots_(static_cast<void* const*>(slots)) {}

    template <class R, class... A>
    R operator()(slot<R(A...)> which, std::type_identity_t<A>... arguments) const {
        return reinterpret_cast<R (*)(A...)>(slots_[which.index])(arguments...);
    }

private:
    void* const* slots_;
};

struct base {
    const void* (*get_table)(std::uint32_t version);  // null when the library is older
    const char* (*get_version)();
};

extern "C" const base* OrtGetApiBase();

}  // namespace loqa::onnx::abi
