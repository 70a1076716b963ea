// A shared library that is opened where it is there; the project links none of those that it is compared with.
#pragma once
#include <dlfcn.h>

#include <initializer_list>
#include <string>

#include "kernels/check.h"

namespace star::bench {

/// Stays open to the program's end.
class Library {
public:
    Library() = default;
    /// The first of the names that is found.
    explicit Library(std::initializer_list<const char*> names) {
        for (const char* name : names)
            if ((at_ = dlopen(name, RTLD_NOW))) {
                name_ = name;
                break;
            }
    }
    explicit operator bool() const { return at_ != nullptr; }
    /// A function by its name, null if it has none.
    template <class F>
    F look_up(const char* function) const noexcept {
        return reinterpret_cast<F>(dlsym(at_, function));
    }
    /// The same, or Error.
    template <class F>
    F find(const char* function) const {
        const auto at = look_up<F>(function);
        require(at != nullptr, name_, " has no ", function);
        return at;
    }

private:
    void* at_ = nullptr;
    std::string name_;
};

}  // namespace star::bench
