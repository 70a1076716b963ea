// A stack that can be left and entered again: the emulator runs each CUDA thread on one.
#pragma once
#include <cstddef>

namespace star::simt {

/// Entered by the thread that owns it, always the same one. Below its stack lies a page that may not be touched.
class Fibre {
public:
    Fibre();  ///< Throws Error if there is no memory for the stack.
    ~Fibre();
    Fibre(const Fibre&) = delete;
    Fibre& operator=(const Fibre&) = delete;

    /// The next resume() calls body(argument), which must not throw. Whatever was parked here is forgotten: its
    /// destructors never run. A fibre whose body has returned is as good as new.
    void start(void (*body)(void*), void* argument);
    void resume();  ///< From the owner's stack: runs the fibre until it parks or its body returns.
    void park();    ///< From the fibre's stack: continues after resume().

private:
    static void entry(Fibre* self);
    void enter();  // from the fibre's stack, as the first thing there
    void leave();

    std::byte* mapping_;
    std::size_t mapped_;
    std::byte* stack_;
    void* at_ = nullptr;  // where this stack was left
    bool idle_ = false;   // the body has returned and entry() waits for the next
    void (*body_)(void*) = nullptr;
    void* argument_ = nullptr;
    void* owner_at_ = nullptr;
    // What the sanitizers want to know; null without them.
    void *fake_stack_ = nullptr, *owner_fake_stack_ = nullptr, *tsan_ = nullptr, *owner_tsan_ = nullptr;
    const void* owner_stack_ = nullptr;
    std::size_t owner_size_ = 0;
};

}  // namespace star::simt
