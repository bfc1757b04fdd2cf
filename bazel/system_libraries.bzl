"""The system libraries of this project: one list for WORKSPACE and for bzlmod."""

load(":system_library.bzl", "system_library")

_ABSEIL = [
    "absl_algorithm",
    "absl_algorithm_container",
    "absl_any",
    "absl_any_invocable",
    "absl_base",
    "absl_bind_front",
    "absl_bits",
    "absl_btree",
    "absl_cleanup",
    "absl_compare",
    "absl_config",
    "absl_cord",
    "absl_core_headers",
    "absl_dynamic_annotations",
    "absl_failure_signal_handler",
    "absl_fixed_array",
    "absl_flags",
    "absl_flags_commandlineflag",
    "absl_flags_marshalling",
    "absl_flags_parse",
    "absl_flags_reflection",
    "absl_flags_usage",
    "absl_flat_hash_map",
    "absl_flat_hash_set",
    "absl_function_ref",
    "absl_hash",
    "absl_inlined_vector",
    "absl_int128",
    "absl_leak_check",
    "absl_log_severity",
    "absl_memory",
    "absl_node_hash_map",
    "absl_node_hash_set",
    "absl_optional",
    "absl_random_bit_gen_ref",
    "absl_random_distributions",
    "absl_random_random",
    "absl_span",
    "absl_stacktrace",
    "absl_status",
    "absl_statusor",
    "absl_str_format",
    "absl_strings",
    "absl_symbolize",
    "absl_synchronization",
    "absl_time",
    "absl_type_traits",
    "absl_utility",
    "absl_variant",
]

# The .proto files that come with protobuf, and what each imports.
_WELL_KNOWN_PROTOS = {
    "any": [],
    "api": ["source_context", "type"],
    "descriptor": [],
    "duration": [],
    "empty": [],
    "field_mask": [],
    "source_context": [],
    "struct": [],
    "timestamp": [],
    "type": ["any", "source_context"],
    "wrappers": [],
}

def system_libraries():
    """Declares the @goplugin_system_* repositories that bazel/system/* stand on.

    Fetched lazily: a library that nothing needs may be missing.
    """
    system_library(
        name = "goplugin_system_abseil",
        debian_packages = ["libabsl-dev"],
        pkg_config = _ABSEIL,
    )
    system_library(
        name = "goplugin_system_google_benchmark",
        debian_packages = ["libbenchmark-dev"],
        pkg_config = ["benchmark"],
    )
    system_library(
        name = "goplugin_system_googletest",
        debian_packages = ["libgtest-dev", "libgmock-dev"],
        pkg_config = ["gmock", "gmock_main"],
    )
    system_library(
        name = "goplugin_system_grpc",
        debian_packages = ["libgrpc++-dev", "protobuf-compiler-grpc"],
        pkg_config = ["grpc++"],
        without_pkg_config = {"grpc++_reflection": "grpc++"},
        tools = ["grpc_cpp_plugin"],
    )
    system_library(
        name = "goplugin_system_openssl",
        debian_packages = ["libssl-dev"],
        pkg_config = ["libcrypto", "libssl"],
    )
    system_library(
        name = "goplugin_system_opentelemetry_cpp",
        debian_packages = ["opentelemetry-cpp-dev"],
        pkg_config = ["opentelemetry_api"],
    )
    system_library(
        name = "goplugin_system_prometheus_cpp",
        debian_packages = ["prometheus-cpp-dev"],
        pkg_config = ["prometheus-cpp-core", "prometheus-cpp-pull"],
    )
    system_library(
        name = "goplugin_system_protobuf",
        debian_packages = ["libprotobuf-dev", "protobuf-compiler"],
        pkg_config = ["protobuf"],
        tools = ["protoc"],
        well_known_protos = _WELL_KNOWN_PROTOS,
    )
    system_library(
        name = "goplugin_system_simdjson",
        debian_packages = ["libsimdjson-dev"],
        pkg_config = ["simdjson"],
    )
