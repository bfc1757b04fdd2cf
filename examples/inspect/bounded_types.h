#ifndef EXAMPLES_INSPECT_BOUNDED_TYPES_H_
#define EXAMPLES_INSPECT_BOUNDED_TYPES_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <vector>

#include "absl/strings/string_view.h"
#include "examples/inspect/descriptor_errors.h"

// Protobuf goes from file to file, from package to package and from message to
// message on its stack, as far as a description does that anybody may have
// written. What would be too far is found here, and never reaches it.

namespace inspect {

// The files of a description without those whose imports go through more than
// 500 files, or come back to where they began, and those whose packages have
// names of more than 1 KiB. Of several with one name the first. `errors` is
// told what is left out.
std::vector<const google::protobuf::FileDescriptorProto*> BoundedFiles(
    const google::protobuf::FileDescriptorSet& files, BuildErrors* errors);

// Whether a message holds no more than 4000 other types, by way of others too.
bool HoldsFewTypes(const google::protobuf::Descriptor& type);

// Whether a name is short enough to be looked up: for that protobuf takes the
// square of its parts.
bool IsShortName(absl::string_view name);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_BOUNDED_TYPES_H_
