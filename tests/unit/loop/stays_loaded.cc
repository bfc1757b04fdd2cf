// A library that embeds the SDK, or a room of it that has threads.

extern "C" __attribute__((visibility("default"))) int Embeds() { return 1; }
