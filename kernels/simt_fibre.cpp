// Switching stacks, and telling the sanitizers about it.
#include "kernels/simt_fibre.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "kernels/check.h"

// Weak: null in a build without the sanitizer.
extern "C" {
[[gnu::weak]] void __sanitizer_start_switch_fiber(void** save, const void* bottom, std::size_t size);
[[gnu::weak]] void __sanitizer_finish_switch_fiber(void* saved, const void** bottom_old, std::size_t* size_old);
[[gnu::weak]] void __asan_unpoison_memory_region(const volatile void* start, std::size_t size);
[[gnu::weak]] void* __tsan_get_current_fiber();
[[gnu::weak]] void* __tsan_create_fiber(unsigned flags);
[[gnu::weak]] void __tsan_destroy_fiber(void* fibre);
[[gnu::weak]] void __tsan_switch_to_fiber(void* fibre, unsigned flags);

/// Leaves this stack, its place in *save, and continues the one left at `load`. Only what a called function must keep
/// is saved. A new stack begins with the function whose address lies there; it gets `argument`.
void star_switch_stack(void** save, void* load, void* argument);
}

#if defined(__x86_64__)
asm(R"(
    .text
    .globl star_switch_stack
    .hidden star_switch_stack
    .type star_switch_stack, @function
star_switch_stack:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    mov %rdx, %rdi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size star_switch_stack, .-star_switch_stack
)");
#elif defined(__aarch64__)
asm(R"(
    .text
    .globl star_switch_stack
    .hidden star_switch_stack
    .type star_switch_stack, %function
star_switch_stack:
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x3, sp
    str x3, [x0]
    mov sp, x1
    mov x0, x2
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size star_switch_stack, .-star_switch_stack
)");
#else
#error "the emulator's switch of stacks is written for x86-64 and aarch64"
#endif

namespace star::simt {
namespace {

constexpr std::size_t stack_bytes =
    128 << 10;  // kernels are shallow; AddressSanitizer makes frames several times larger

/// What star_switch_stack expects on a new stack, so that it "returns" to `function`. Returns the place it was left at.
void* lay_out(std::byte* top, void* function) {
    auto** at = reinterpret_cast<void**>(top);
#if defined(__x86_64__)
    at -= 8;  // six registers, the return address, and a null one for whoever walks the stack
    constexpr int entry_slot = 6;
#else
    at -= 20;
    constexpr int entry_slot = 11;  // x30
#endif
    for (void** p = at; p < reinterpret_cast<void**>(top); ++p) *p = nullptr;
    at[entry_slot] = function;
    return at;
}

}  // namespace

Fibre::Fibre() {
    const auto page = std::size_t(sysconf(_SC_PAGESIZE));
    mapped_ = stack_bytes + page;
    void* p = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail(Fault::device, "emulator: no memory for a fibre's stack");
    mapping_ = static_cast<std::byte*>(p);
    stack_ = mapping_ + page;
    if (mprotect(mapping_, page, PROT_NONE) != 0) {
        munmap(mapping_, mapped_);
        fail(Fault::device, "emulator: no guard page for a fibre's stack");
    }
}

Fibre::~Fibre() {
    if (tsan_) __tsan_destroy_fiber(tsan_);
    munmap(mapping_, mapped_);
}

void Fibre::start(void (*body)(void*), void* argument) {
    body_ = body;
    argument_ = argument;
    if (idle_) return;
    if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(stack_, stack_bytes);  // frames abandoned there
    if (tsan_) __tsan_destroy_fiber(tsan_);
    if (__tsan_create_fiber) tsan_ = __tsan_create_fiber(0);
    fake_stack_ = nullptr;
    at_ = lay_out(stack_ + stack_bytes, reinterpret_cast<void*>(&entry));
}

void Fibre::resume() {
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&owner_fake_stack_, stack_, stack_bytes);
    if (tsan_) {
        owner_tsan_ = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(tsan_, 0);
    }
    star_switch_stack(&owner_at_, at_, this);
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(owner_fake_stack_, nullptr, nullptr);
}

void Fibre::enter() {
    if (__sanitizer_finish_switch_fiber) __sanitizer_finish_switch_fiber(fake_stack_, &owner_stack_, &owner_size_);
}

void Fibre::leave() {
    if (__sanitizer_start_switch_fiber) __sanitizer_start_switch_fiber(&fake_stack_, owner_stack_, owner_size_);
    if (tsan_) __tsan_switch_to_fiber(owner_tsan_, 0);
}

void Fibre::park() {
    leave();
    star_switch_stack(&at_, owner_at_, nullptr);
    enter();
}

void Fibre::entry(Fibre* self) {
    self->enter();
    for (;;) {
        self->idle_ = false;
        self->body_(self->argument_);
        self->idle_ = true;
        self->park();
    }
}

}  // namespace star::simt
