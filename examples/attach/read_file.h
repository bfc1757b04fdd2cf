#ifndef EXAMPLES_ATTACH_READ_FILE_H_
#define EXAMPLES_ATTACH_READ_FILE_H_

#include <fstream>
#include <iterator>
#include <string>

// What is in the file; "" when it can't be read.
inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

#endif  // EXAMPLES_ATTACH_READ_FILE_H_
