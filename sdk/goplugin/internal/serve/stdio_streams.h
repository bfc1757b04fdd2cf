#ifndef GOPLUGIN_INTERNAL_SERVE_STDIO_STREAMS_H_
#define GOPLUGIN_INTERNAL_SERVE_STDIO_STREAMS_H_

namespace goplugin::internal {

// From now on std::cout and std::clog go through C's stdout and stderr, as they
// do by default: buffered by line or not at all, flushed with them, and safe to
// print to from many threads. After std::ios::sync_with_stdio(false) they have
// buffers of their own, whose text a host would get late or never: what is in
// those comes first. A stream that the program has given another buffer is left
// alone. Not while another thread prints.
void LeadStreamsThroughStdio();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_SERVE_STDIO_STREAMS_H_
