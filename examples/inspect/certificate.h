#ifndef EXAMPLES_INSPECT_CERTIFICATE_H_
#define EXAMPLES_INSPECT_CERTIFICATE_H_

#include <string>

#include "examples/inspect/report.pb.h"

namespace inspect {

// What a certificate in DER says. Judges nothing: what the SDK refuses, Launch
// has refused.
Certificate ReadCertificate(const std::string& der);

}  // namespace inspect

#endif  // EXAMPLES_INSPECT_CERTIFICATE_H_
