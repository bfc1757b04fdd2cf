// Faults in the handshake line, or behind a line that looks right.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/plugins/misbehave_parts.h"
#include "tests/plugins/output.h"

namespace misbehave {
namespace {

using output::Say;

constexpr int kOut = output::kStdout;

// A name for a socket or file of this process.
std::string OwnPath() {
  return output::SocketDirectory(true) + "/bad" + std::to_string(getpid());
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

int BindUnix(int type, const std::string& path) {
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  sockaddr_un address = UnixAddress(path);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    perror("bind");
    _exit(70);
  }
  return fd;
}

int ListenUnix(const std::string& path) {
  int fd = BindUnix(SOCK_STREAM, path);
  listen(fd, 16);
  return fd;
}

// Binds a free port of 127.0.0.1 without listening.
int BindTcp(int* port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) _exit(70);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return fd;
}

void SayUnixLine(const std::string& path) {
  Say(kOut, "1|1|unix|" + path + "|grpc\n");
}

void SayArgument(const char* text) {
  Say(kOut, output::Unescape(text));
  Hang();
}

void SayArgumentExit(const char* text) {
  Say(kOut, output::Unescape(text));
  _exit(0);
}

template <const char* Line>
void SayLine(const char*) {
  Say(kOut, std::string{Line} + "\n");
  Hang();
}

// Fixed lines. The address is never reached.
constexpr char kCore2[] = "2|1|unix|/tmp/none|grpc|";
constexpr char kCoreText[] = "one|1|unix|/tmp/none|grpc|";
constexpr char kApp9[] = "1|9|unix|/tmp/none|grpc|";
constexpr char kAppEmpty[] = "1||unix|/tmp/none|grpc|";
constexpr char kAppZero[] = "1|0|unix|/tmp/none|grpc|";
constexpr char kAppHuge[] = "1|99999999999999999999|unix|/tmp/none|grpc|";
constexpr char kAppNegative[] = "1|-1|unix|/tmp/none|grpc|";
constexpr char kCoreHuge[] = "99999999999999999999|1|unix|/tmp/none|grpc|";
constexpr char kNetwork[] = "1|1|carrier-pigeon|/tmp/none|grpc|";
constexpr char kNoAddress[] = "1|1|unix||grpc|";
constexpr char kNoPort[] = "1|1|tcp|127.0.0.1|grpc|";
constexpr char kBadPort[] = "1|1|tcp|127.0.0.1:99999|grpc|";
constexpr char kBadHost[] = "1|1|tcp|no such host:80|grpc|";
constexpr char kFourFields[] = "1|1|unix|/tmp/none";
constexpr char kThreeFields[] = "1|1|unix";
constexpr char kNetrpc[] = "1|1|unix|/tmp/none|netrpc|";
constexpr char kProtocol[] = "1|1|unix|/tmp/none|smoke-signals|";
constexpr char kMux[] = "1|1|unix|/tmp/none|grpc||maybe";
constexpr char kBadBase64[] =
    "1|1|unix|/tmp/none|grpc|"
    "!!!!this*is*not*base64*at*all*but*longer*than*fifty*characters!!!!";
// Good base64, of bytes that are no certificate.
constexpr char kBadDer[] =
    "1|1|unix|/tmp/none|grpc|"
    "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
    "QUFBQUFB";

void NoNewline(const char*) { SayArgument("1|1|unix|/tmp/none|grpc|"); }

void NoNewlineExit(const char*) {
  Say(kOut, "1|1|unix|/tmp/none|grpc|");
  _exit(0);
}

void TwoLines(const char*) {
  Say(kOut, "2|1|unix|/tmp/none|grpc|\n1|9|unix|/tmp/none|grpc|\n");
  Hang();
}

void PathTooLong(const char*) {
  SayUnixLine("/tmp/" + std::string(103, 'p'));
  Hang();
}

void PathMissing(const char*) {
  SayUnixLine(OwnPath());
  Hang();
}

void SocketDead(const char*) {
  std::string path = OwnPath();
  close(ListenUnix(path));
  SayUnixLine(path);
  Hang();
}

void SocketDatagram(const char*) {
  std::string path = OwnPath();
  BindUnix(SOCK_DGRAM, path);
  SayUnixLine(path);
  Hang();
}

void SocketSeqpacket(const char*) {
  std::string path = OwnPath();
  listen(BindUnix(SOCK_SEQPACKET, path), 16);
  SayUnixLine(path);
  Hang();
}

void AddressFile(const char*) {
  std::string path = OwnPath();
  FILE* file = fopen(path.c_str(), "we");
  if (file == nullptr) _exit(70);
  fclose(file);
  SayUnixLine(path);
  Hang();
}

void AddressDirectory(const char*) {
  std::string path = OwnPath();
  mkdir(path.c_str(), 0700);
  SayUnixLine(path);
  Hang();
}

void AddressFifo(const char*) {
  std::string path = OwnPath();
  mkfifo(path.c_str(), 0600);
  SayUnixLine(path);
  Hang();
}

void SocketForbidden(const char*) {
  std::string path = OwnPath();
  ListenUnix(path);
  chmod(path.c_str(), 0);
  SayUnixLine(path);
  Hang();
}

void TcpDead(const char*) {
  int port = 0;
  BindTcp(&port);  // kept, so that nobody else takes the port
  Say(kOut, "1|1|tcp|127.0.0.1:" + std::to_string(port) + "|grpc\n");
  Hang();
}

void NeverAccepts(const char*) {
  std::string path = OwnPath();
  ListenUnix(path);
  SayUnixLine(path);
  Hang();
}

// Accepts, reads a little, answers `reply`, closes.
[[noreturn]] void AnswerEach(const std::string& reply) {
  std::string path = OwnPath();
  int listener = ListenUnix(path);
  SayUnixLine(path);
  signal(SIGPIPE, SIG_IGN);
  while (true) {
    int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    char start[64];
    bool open = reply.empty() || read(fd, start, sizeof(start)) > 0;
    if (open && write(fd, reply.data(), reply.size()) < 0) perror("write");
    close(fd);
  }
}

void Hangup(const char*) { AnswerEach(""); }
void Http1(const char*) {
  AnswerEach("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
}

void LineExit0(const char*) {
  std::string path = OwnPath();
  ListenUnix(path);
  SayUnixLine(path);
  unlink(path.c_str());
  _exit(0);
}

void LineExit1(const char*) {
  SayUnixLine(OwnPath());
  Say(output::kStderr, "lost my configuration\n");
  _exit(1);
}

void LineDie(const char*) {
  SayUnixLine(OwnPath());
  raise(SIGKILL);
}

constexpr Behaviour kTable[] = {
    {"say", SayArgument, "prints ARG (\\n \\r \\t \\0 \\\\), stays"},
    {"say-exit", SayArgumentExit, "prints ARG, exits with 0"},
    {"core2", SayLine<kCore2>, "core version 2"},
    {"core-text", SayLine<kCoreText>, "core version \"one\""},
    {"core-huge", SayLine<kCoreHuge>, "core version of 20 digits"},
    {"app9", SayLine<kApp9>, "application version 9"},
    {"app-empty", SayLine<kAppEmpty>, "no application version"},
    {"app-zero", SayLine<kAppZero>, "application version 0"},
    {"app-huge", SayLine<kAppHuge>, "application version of 20 digits"},
    {"app-negative", SayLine<kAppNegative>, "application version -1"},
    {"network-unknown", SayLine<kNetwork>, "network \"carrier-pigeon\""},
    {"address-empty", SayLine<kNoAddress>, "unix without a path"},
    {"address-no-port", SayLine<kNoPort>, "tcp without a port"},
    {"address-bad-port", SayLine<kBadPort>, "tcp port 99999"},
    {"address-bad-host", SayLine<kBadHost>, "tcp host with spaces"},
    {"four-fields", SayLine<kFourFields>, "four fields, which mean netrpc"},
    {"three-fields", SayLine<kThreeFields>, "three fields"},
    {"netrpc", SayLine<kNetrpc>, "protocol netrpc"},
    {"protocol-unknown", SayLine<kProtocol>, "protocol \"smoke-signals\""},
    {"mux-unknown", SayLine<kMux>, "seventh field \"maybe\""},
    {"bad-base64", SayLine<kBadBase64>, "certificate is not base64"},
    {"bad-der", SayLine<kBadDer>, "certificate is base64 of no DER"},
    {"no-newline", NoNewline, "the line without its newline, stays"},
    {"no-newline-exit", NoNewlineExit, "the same, exits with 0"},
    {"two-lines", TwoLines, "core 2, then application 9"},
    {"path-too-long", PathTooLong, "socket path of 108 bytes"},
    {"path-missing", PathMissing, "no such socket"},
    {"socket-dead", SocketDead, "socket file without a listener"},
    {"socket-datagram", SocketDatagram, "socket of type datagram"},
    {"socket-seqpacket", SocketSeqpacket, "socket of type seqpacket"},
    {"socket-forbidden", SocketForbidden, "socket of mode 0 (not for root)"},
    {"address-file", AddressFile, "the address is a regular file"},
    {"address-directory", AddressDirectory, "the address is a directory"},
    {"address-fifo", AddressFifo, "the address is a fifo"},
    {"tcp-dead", TcpDead, "tcp port nobody listens on"},
    {"never-accepts", NeverAccepts, "connects, then nothing ever"},
    {"hangup", Hangup, "accepts and closes each connection"},
    {"http1", Http1, "answers in HTTP/1.1"},
    {"line-exit0", LineExit0, "line, then exits with 0"},
    {"line-exit1", LineExit1, "line, stderr text, exits with 1"},
    {"line-die", LineDie, "line, then dies of SIGKILL"},
};

}  // namespace

const Behaviour* LineBehaviours(size_t* count) {
  *count = sizeof(kTable) / sizeof(kTable[0]);
  return kTable;
}

}  // namespace misbehave
