#include "tests/unit/process/ignored_signals_host.h"

int main() { return RunIgnoredSignalsHost(); }
