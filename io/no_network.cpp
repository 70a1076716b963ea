// Stand-ins that refuse: Debian's static CFITSIO refers to six functions of libcurl for its http and ftp drivers. This
// program never gives CFITSIO a name to interpret (io/cfitsio.h), so the drivers are unreachable; with these
// definitions they couldn't work even if they were, and no network library is linked. The names and values are those of
// libcurl's ABI: a null handle, and 2 (CURLE_FAILED_INIT).
//
// Likewise two functions of glibc that look up hosts and users' home folders: CFITSIO refers to them for its root
// driver and for names that begin with ~, both unreachable. In a static program glibc's own would load shared libraries
// at run time. Null means "not found".
#include <netdb.h>
#include <pwd.h>

extern "C" {

void* curl_easy_init();
void curl_easy_cleanup(void* handle);
int curl_easy_perform(void* handle);
int curl_easy_setopt(void* handle, int option, ...);
int curl_global_init(long flags);
void curl_global_cleanup();

void* curl_easy_init() { return nullptr; }
void curl_easy_cleanup(void*) {}
int curl_easy_perform(void*) { return 2; }
int curl_easy_setopt(void*, int, ...) { return 2; }
int curl_global_init(long) { return 2; }
void curl_global_cleanup() {}

hostent* gethostbyname(const char*) { return nullptr; }
passwd* getpwnam(const char*) { return nullptr; }
}
