#ifndef GOPLUGIN_INTERNAL_HANDSHAKE_LINE_READER_H_
#define GOPLUGIN_INTERNAL_HANDSHAKE_LINE_READER_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "goplugin/internal/handshake/handshake_response.h"
#include "goplugin/internal/handshake/line_place.h"
#include "goplugin/internal/handshake/noise.h"

namespace goplugin::internal {

// Finds the handshake line in what a plugin writes to its stdout, however the
// bytes are cut and whatever a wrapper script or a library prints before it.
//
// A line that starts with digits and '|' is a candidate, a byte order mark and
// sequences for a terminal aside. One that parses is the line. One that makes
// sense, and that this host can't take, ends the search at once with that
// error: another version, net/rpc, a network that is not allowed, a certificate
// that is not base64 (see LineVerdict::kRefused). Any other is odd: the search
// goes on, and if nothing better comes the error of the first one is reported.
// Text that does not end before the line ("loading... 1|1|unix|...") is noise,
// if it is clear where the line begins (LinePlace); if not, that makes an odd
// candidate. All other lines are noise, and so is every line longer than
// kMaxLineBytes, once it has ended: where it does not, that is the error, after
// a silence or kMaxUnendedBytes. So write programs that are no plugins.
//
// Costs: linear in the bytes fed, however many candidates there are: an error
// is made for one of them. At most kMaxLineBytes of an unfinished line, 4 KiB
// of quoted noise, and the noise not yet taken.
//
// Thread safety: none.
class HandshakeReader {
 public:
  static constexpr size_t kMaxLineBytes = size_t{64} * 1024;
  static constexpr size_t kMaxUnendedBytes = size_t{16} * 1024 * 1024;

  enum class State {
    kSearching,
    kCandidate,  // an odd candidate is kept, or a line is too long and has not
                 // ended yet: after 1 s without output, the caller ends the
                 // search with Finish(End::kSilence)
    kDone,       // result() holds the response or the error
  };
  // Why there will be nothing more to read, or no more time for it.
  enum class End { kEndOfFile, kExited, kDeadline, kSilence };

  explicit HandshakeReader(HandshakePolicy policy);

  // Takes the next bytes. When kDone, the bytes after the line are kept for
  // TakeRest.
  State Feed(absl::string_view bytes);

  // Ends the search. A last line without a newline counts at kEndOfFile and
  // kExited. kSilence means something only in kCandidate; in kSearching it is
  // ignored. Otherwise the state is kDone afterwards.
  State Finish(End end);

  State state() const { return state_; }

  // Bytes of the line that has not ended; 0 when it is too long to be one.
  size_t unfinished() const { return line_.size(); }

  // True when the line was found and is usable.
  bool has_response() const { return result_.ok(); }

  // The response or the error; meaningful when kDone. The evidence quotes the
  // line and the noise. Besides ParseHandshakeLine's errors: kHandshakeTimeout
  // at kDeadline, kExitedEarly at kEndOfFile and kExited. Exit status, stderr
  // and the time waited are for the caller to add.
  const absl::StatusOr<HandshakeResponse>& result() const { return result_; }

  // The unix socket named by a line that was understood and can't be used
  // (another version, net/rpc, a bad certificate): the plugin has made it, and
  // somebody has to remove it. "" when there is none.
  const std::string& unused_socket() const { return unused_socket_; }

  // The bytes after the line, which are the plugin's ordinary stdout.
  std::string TakeRest();

  // The bytes before the line that were not taken before: ordinary stdout as
  // well. A caller that wants all of it takes it after every Feed and Finish;
  // of what is left lying, the last 64 to 128 KiB are kept.
  std::string TakeNoise();

  // What came before the line, for an error's text: the first and the last
  // 2 KiB, and how much was left out between them.
  std::string noise() const { return noise_.Summary(); }

 private:
  void AppendToLine(absl::string_view piece);
  void AbandonOverlongLine(absl::string_view unread);
  void SkipMore(absl::string_view piece);
  void EndLine();
  // Judges line_; true when the search is over.
  bool Consider();
  void KeepOdd(const LinePlace& place);
  void AddNoise(absl::string_view bytes);
  void Done(absl::StatusOr<HandshakeResponse> result);
  absl::Status WithNoise(const absl::Status& error) const;
  absl::Status NoLineError(End end, bool newline_missing) const;

  const HandshakePolicy policy_;
  State state_ = State::kSearching;
  absl::StatusOr<HandshakeResponse> result_;
  // The unfinished line; empty while the rest of an overlong one is skipped.
  std::string line_;
  bool skipping_ = false;
  // Of that line, so far.
  size_t skipped_ = 0;
  // OK until a candidate is kept.
  absl::Status candidate_error_;
  std::string unused_socket_;
  Noise noise_;
  std::string untaken_noise_;
  std::string rest_;
};

}  // namespace goplugin::internal

#endif  // GOPLUGIN_INTERNAL_HANDSHAKE_LINE_READER_H_
