#ifndef GOPLUGIN_INTERNAL_PROCESS_RAISED_RIGHTS_H_
#define GOPLUGIN_INTERNAL_PROCESS_RAISED_RIGHTS_H_

#include <sys/types.h>

#include <string>

namespace goplugin::internal {

// What the process `pid` has that it was not started with: another user than
// `user` (sudo, setpriv, gosu, a setuid program), or capabilities that this
// process lacks (a file's), or another group than it began with (a setgid
// program). Each clears the death signal. "" for none, and where /proc does not
// tell. For a person.
std::string RaisedRights(pid_t pid, uid_t user);

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_PROCESS_RAISED_RIGHTS_H_
