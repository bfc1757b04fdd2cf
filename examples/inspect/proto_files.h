#ifndef EXAMPLES_INSPECT_PROTO_FILES_H_
#define EXAMPLES_INSPECT_PROTO_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "examples/inspect/schema.h"

// Descriptions from files, for plugins without reflection. Errors are of
// kUsageReason.

namespace inspect {

// A .proto file and what it imports, from its own folder, the current one, or
// protobuf's own.
absl::StatusOr<Description> ReadProtoFile(const std::string& path);

// What protoc --descriptor_set_out --include_imports wrote.
absl::StatusOr<Description> ReadDescriptorSet(const std::string& path);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_PROTO_FILES_H_
