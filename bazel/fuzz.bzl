"""Fuzz targets that also run, on their corpus, as ordinary tests."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

def goplugin_fuzz_test(name, srcs, deps, corpus = [], dictionary = None, **kwargs):
    """A libFuzzer target.

    Makes two targets of the same LLVMFuzzerTestOneInput:

    * `<name>`, the fuzzer. Needs Clang, hence --config=fuzz:

          bazel run --config=fuzz //tests/fuzz:<name> -- -max_total_time=60 DIR

      where DIR (an absolute path) receives what the fuzzer learns.
    * `<name>_corpus_test`, with any compiler: each file of the corpus once, and
      the empty input. What the fuzzer has found goes into the corpus and stays
      found.

    Args:
      name: of the fuzzer.
      srcs: defines LLVMFuzzerTestOneInput.
      deps: of srcs.
      corpus: inputs, one per file.
      dictionary: a file of tokens for libFuzzer; pass it as -dict=.
      **kwargs: for both, such as size and tags.
    """
    tags = kwargs.pop("tags", [])
    size = kwargs.pop("size", "small")

    cc_library(
        name = name + "_target",
        testonly = True,
        srcs = srcs,
        deps = deps,
        tags = tags + ["manual"],
        # Its only caller is libFuzzer, or corpus_main.cc.
        alwayslink = True,
        **kwargs
    )

    # Without --config=fuzz there is no main() to link.
    cc_binary(
        name = name,
        testonly = True,
        data = corpus + ([dictionary] if dictionary else []),
        linkopts = select({
            "//bazel/fuzz:enabled": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        tags = tags + ["manual"],
        deps = [":" + name + "_target"],
        **kwargs
    )

    cc_test(
        name = name + "_corpus_test",
        size = size,
        args = ["$(rootpaths {})".format(label) for label in corpus],
        data = corpus,
        tags = tags,
        deps = [
            ":" + name + "_target",
            "//bazel/fuzz:corpus_main",
        ],
        **kwargs
    )
