#ifndef GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_KIND_H_
#define GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_KIND_H_

namespace goplugin::internal {

// Whose connections gRPC uses, where it takes ours at all. Thread-safe.
bool UsesOwnEndpoints();
// For tests, which run over both kinds: connections made from now on are
// gRPC's.
void UseGrpcsEndpointsForTest();

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_ENDPOINT_ENDPOINT_KIND_H_
