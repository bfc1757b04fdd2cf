#ifndef EXAMPLES_INSPECT_PRINT_H_
#define EXAMPLES_INSPECT_PRINT_H_

#include <climits>
#include <cstddef>
#include <string>

#include "examples/inspect/arguments.h"
#include "examples/inspect/report.pb.h"

namespace inspect {

// A report of more bytes is not printed: protobuf counts no further.
inline constexpr std::size_t kMostReport = INT_MAX;

// The report as it is printed, with a newline at its end; "" of one that is too
// large.
std::string Print(const Report& report, Arguments::Format format,
                  std::size_t most = kMostReport);

// One line for each fact: a tag, a column, a text. Control characters of the
// plugin's texts are shown as question marks: they could steer a terminal.
std::string PrintText(const Report& report);

// The message in report.proto, by protobuf's JSON mapping.
std::string PrintJson(const Report& report);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_PRINT_H_
