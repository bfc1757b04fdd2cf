// Compiles the file to copy.
#include "examples/metrics/opentelemetry_telemetry.h"
