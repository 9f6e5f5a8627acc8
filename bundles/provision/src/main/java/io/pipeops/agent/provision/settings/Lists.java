package io.pipeops.agent.provision.settings;

import java.util.Arrays;
import java.util.List;

/** Several values in one text, divided by commas. */
final class Lists {
  private Lists() {}

  static List<String> split(String text) {
    return Arrays.stream(text.split(",")).map(String::strip).filter(s -> !s.isEmpty()).toList();
  }
}
