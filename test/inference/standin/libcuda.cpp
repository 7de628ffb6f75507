// Stands in for NVIDIA's driver on machines without one: "device" memory is ordinary memory, streams do at once
// what they are told. What can go wrong on a device is brought about through standin_fail.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {
int fail_status = 0;           // what the failing function returns
char fail_name[64] = "";       // which one fails
long live = 0;                 // allocations and streams that were not freed
long copied = 0;               // bytes since the last look

int result(const char* name) { return std::strcmp(name, fail_name) == 0 ? fail_status : 0; }

int allocate(const char* name, void** place, size_t bytes) {
  if (int status = result(name)) return status;
  *place = std::malloc(bytes ? bytes : 1);
  ++live;
  return 0;
}

int release(void* place) {
  std::free(place);
  --live;
  return 0;
}

int copy(const char* name, void* to, const void* from, size_t bytes) {
  if (int status = result(name)) return status;
  std::memcpy(to, from, bytes);
  copied += static_cast<long>(bytes);
  return 0;
}
}  // namespace

extern "C" {
void standin_fail(const char* name, int status) {
  std::strncpy(fail_name, name, sizeof fail_name - 1);
  fail_status = status;
}
long standin_live() { return live; }
long standin_copied() {
  long bytes = copied;
  copied = 0;
  return bytes;
}

int cuInit(unsigned) { return result("cuInit"); }
int cuDeviceGetCount(int* count) {
  *count = 1;
  return 0;
}
int cuDeviceGet(int* device, int ordinal) {
  *device = ordinal;
  return 0;
}
int cuDeviceGetName(char* name, int length, int) {
  std::strncpy(name, "Stand-in GPU", static_cast<size_t>(length));
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75 ? 8 : 7;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** context, int) {
  *context = &live;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxSetCurrent(void* context) { return context == &live ? result("cuCtxSetCurrent") : 201; }
int cuMemAlloc_v2(uint64_t* place, size_t bytes) {
  return allocate("cuMemAlloc_v2", reinterpret_cast<void**>(place), bytes);
}
int cuMemFree_v2(uint64_t place) { return release(reinterpret_cast<void*>(place)); }
int cuMemHostAlloc(void** place, size_t bytes, unsigned) { return allocate("cuMemHostAlloc", place, bytes); }
int cuMemFreeHost(void* place) { return release(place); }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void*) {
  return copy("cuMemcpyHtoDAsync_v2", reinterpret_cast<void*>(to), from, bytes);
}
int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void*) {
  return copy("cuMemcpyDtoHAsync_v2", to, reinterpret_cast<const void*>(from), bytes);
}
struct Copy2d {  // CUDA_MEMCPY2D of cuda.h, here always from the device to the host
  size_t source_x, source_y;
  int source_type;
  const void* source_host;
  uint64_t source_device;
  void* source_array;
  size_t source_pitch, target_x, target_y;
  int target_type;
  void* target_host;
  uint64_t target_device;
  void* target_array;
  size_t target_pitch, width, height;
};
int cuMemcpy2DAsync_v2(const Copy2d* plan, void*) {
  if (plan->source_type != 2 || plan->target_type != 1) return 1;
  for (size_t row = 0; row < plan->height; ++row) {
    char* to = static_cast<char*>(plan->target_host) + row * plan->target_pitch;
    const char* from = reinterpret_cast<const char*>(plan->source_device) + row * plan->source_pitch;
    if (int status = copy("cuMemcpy2DAsync_v2", to, from, plan->width)) return status;
  }
  return 0;
}
int cuStreamCreate(void** stream, unsigned) { return allocate("cuStreamCreate", stream, 1); }
int cuStreamDestroy_v2(void* stream) { return release(stream); }
int cuStreamSynchronize(void*) { return result("cuStreamSynchronize"); }
int cuGetErrorString(int status, const char** text) {
  *text = status == 2 ? "out of memory" : "unspecified launch failure";
  return 0;
}
}
