#include "tests/plugins/server_kv.h"

#include <dirent.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/plugins/output.h"
#include "tests/plugins/server_mischief.h"

extern char** environ;

namespace server_plugin {
namespace {

using grpc::Status;
using grpc::StatusCode;

std::string ReadLink(const std::string& path) {
  char target[4096];
  ssize_t size = readlink(path.c_str(), target, sizeof(target));
  return size < 0 ? "" : std::string(target, static_cast<std::size_t>(size));
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// "NUMBER TARGET" lines.
std::string OpenDescriptors() {
  const std::string directory = "/proc/self/fd";
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return "";
  std::string lines;
  while (dirent* entry = readdir(entries)) {
    if (entry->d_name[0] == '.') continue;
    std::string number = entry->d_name;
    absl::StrAppend(&lines, number, " ",
                    ReadLink(absl::StrCat(directory, "/", number)), "\n");
  }
  closedir(entries);
  return lines;
}

std::string Environment() {
  std::string lines;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    absl::StrAppend(&lines, *entry, "\n");
  }
  return lines;
}

// Answers questions about the plugin's process.
Status Tell(absl::string_view name, const std::string& argument,
            std::string* reply) {
  if (name == "pid") *reply = absl::StrCat(getpid());
  if (name == "ppid") *reply = absl::StrCat(getppid());
  if (name == "pgid") *reply = absl::StrCat(getpgrp());
  if (name == "cwd") *reply = ReadLink("/proc/self/cwd");
  if (name == "fds") *reply = OpenDescriptors();
  if (name == "environ") *reply = Environment();
  if (name == "args") *reply = ReadAll("/proc/self/cmdline");  // NUL between
  if (name == "status") *reply = ReadAll("/proc/self/status");
  if (name == "proc") *reply = ReadAll("/proc/self/" + argument);
  if (name == "env") {
    const char* value = getenv(argument.c_str());
    if (value == nullptr) return Status(StatusCode::NOT_FOUND, "not set");
    *reply = value;
    return Status::OK;
  }
  if (!reply->empty()) return Status::OK;
  return Status(StatusCode::INVALID_ARGUMENT,
                absl::StrCat("unknown command !", name));
}

}  // namespace

Status KvService::Get(grpc::ServerContext*, const proto::GetRequest* request,
                      proto::GetResponse* response) {
  if (flags_.Has("die-in-call")) Die(flags_.Get("die-in-call", "signal"));
  const std::string& key = request->key();
  if (!key.empty() && key[0] == '!') {
    std::pair<std::string, std::string> parts =
        absl::StrSplit(key.substr(1), absl::MaxSplits(':', 1));
    return Do(parts.first, parts.second, response->mutable_value());
  }
  std::ifstream file("kv_" + key, std::ios::binary);
  if (!file) return Status(StatusCode::NOT_FOUND, "no key " + key);
  response->set_value(std::string(std::istreambuf_iterator<char>(file), {}));
  return Status::OK;
}

Status KvService::Put(grpc::ServerContext*, const proto::PutRequest* request,
                      proto::Empty*) {
  if (flags_.Has("die-in-call")) Die(flags_.Get("die-in-call", "signal"));
  std::ofstream file("kv_" + request->key(), std::ios::binary);
  file << request->value() << "\n\nWritten from server_plugin";
  file.close();
  if (!file) return Status(StatusCode::INTERNAL, "can't write");
  return Status::OK;
}

Status KvService::Do(const std::string& name, const std::string& argument,
                     std::string* reply) {
  int number = 0;
  bool is_number = absl::SimpleAtoi(argument, &number);
  if (name == "exit") _exit(number);
  if (name == "panic") {
    output::Say(output::kStderr, "panic: " + argument + "\n\ngoroutine 1:\n");
    _exit(2);
  }
  if (name == "signal" || name == "stop") {
    kill(getpid(), name == "stop" ? SIGSTOP : number);
    return Status::OK;
  }
  if (name == "sleep") {
    absl::SleepFor(absl::Milliseconds(number));
    return Status::OK;
  }
  if (name == "error" && is_number) {
    std::string text(static_cast<std::size_t>(number), 'e');
    return Status(StatusCode::INTERNAL, text);
  }
  if (name == "big" && is_number) {
    reply->assign(static_cast<std::size_t>(number), '\0');
    return Status::OK;
  }
  if (name == "stdio" && is_number) {
    std::string data(static_cast<std::size_t>(number), 's');
    if (number > 1) data[0] = '<', data[data.size() - 1] = '>';
    services_->PushStdio(output::kStdout, data);
    return Status::OK;
  }
  if (name == "version") {
    *reply = absl::StrCat(version_);
    return Status::OK;
  }
  if (Say(name, argument)) return Status::OK;
  return Tell(name, argument, reply);
}

// The commands that write.
bool KvService::Say(absl::string_view name, const std::string& argument) {
  const std::string line = argument + "\n";
  if (name == "raw-stdout") {
    output::Say(output::kStdout, line);
  } else if (name == "raw-stderr") {
    output::Say(output::kStderr, line);
  } else if (name == "stdout") {
    services_->PushStdio(output::kStdout, line);
  } else if (name == "stderr") {
    services_->PushStdio(output::kStderr, line);
  } else if (name == "log") {
    std::pair<std::string, std::string> parts =
        absl::StrSplit(argument, absl::MaxSplits(':', 1));
    output::Say(
        output::kStderr,
        absl::StrCat("{\"@level\":\"", parts.first, "\",\"@message\":\"",
                     parts.second, "\",\"@module\":\"kv\",\"@timestamp\":\"",
                     "2024-05-06T07:08:09.000010Z\",\"key\":\"value\"}", "\n"));
  } else {
    return false;
  }
  return true;
}

}  // namespace server_plugin
