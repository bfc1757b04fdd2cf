#ifndef TESTS_SUPPORT_HARNESS_PLUGINS_H_
#define TESTS_SUPPORT_HARNESS_PLUGINS_H_

#include <string>
#include <vector>

#include "goplugin/client.h"
#include "goplugin/client_options.h"
#include "goplugin/command.h"

namespace goplugin::testing {

// The path of a file that the test's BUILD target names under `data`, by its
// path in the workspace.
std::string RunfilePath(const std::string& path);

// Copies a program to `copy`, in the place of what is there, where everybody
// may execute it and the owner write to it: what Bazel's output allows differs
// with where it was built.
void CopyProgram(const std::string& program, const std::string& copy);

// The SHA-256 of a file, 32 bytes.
std::string Sha256OfFile(const std::string& path);

// tests/plugins/misbehave and tests/plugins/server_plugin.
Command Misbehave(std::vector<std::string> args);
Command ServerPlugin(std::vector<std::string> args);

// A command as exec takes it: the program and its arguments; `environment` and
// the command's own, "NAME=value" each.
std::vector<std::string> ArgumentsOf(const Command& command);
std::vector<std::string> EnvironmentOf(const Command& command,
                                       std::vector<std::string> environment);

// The cookie and version of go-plugin's examples, and deadlines for tests.
ClientOptions KvOptions();

// Calls of the KV service. Put answers "" or gRPC's message; Get the value, or
// "error: " and gRPC's message.
std::string Put(const Client& client, const std::string& key,
                const std::string& value);
std::string Get(const Client& client, const std::string& key);

}  // namespace goplugin::testing

#endif  // TESTS_SUPPORT_HARNESS_PLUGINS_H_
