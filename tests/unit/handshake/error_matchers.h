#ifndef GOPLUGIN_TESTS_UNIT_HANDSHAKE_ERROR_MATCHERS_H_
#define GOPLUGIN_TESTS_UNIT_HANDSHAKE_ERROR_MATCHERS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "goplugin/error.h"

namespace goplugin::internal {

// The parts of an error that tests look at, with a default for each that is
// missing.
inline std::string ReasonOf(const absl::Status& status) {
  const auto details = GetErrorDetails(status);
  return details ? ReasonName(details->reason) : "(no details)";
}

inline std::string HintOf(const absl::Status& status) {
  const auto details = GetErrorDetails(status);
  return details ? details->hint : "";
}

inline std::string EvidenceOf(const absl::Status& status) {
  const auto details = GetErrorDetails(status);
  return details ? absl::StrJoin(details->evidence, "\n") : "";
}

inline std::string WhatOf(const absl::Status& status) {
  const auto details = GetErrorDetails(status);
  return details ? details->what : "";
}

}  // namespace goplugin::internal

#endif  // GOPLUGIN_TESTS_UNIT_HANDSHAKE_ERROR_MATCHERS_H_
