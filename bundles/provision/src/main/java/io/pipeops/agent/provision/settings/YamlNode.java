package io.pipeops.agent.provision.settings;

import java.util.List;

/** A settings file's content with the line of everything in it. */
sealed interface YamlNode {
  int line();

  /** A single value; {@code absent} if nothing or null is written. */
  record Scalar(int line, String text, boolean absent) implements YamlNode {}

  /** A list. */
  record Sequence(int line, List<YamlNode> items) implements YamlNode {}

  /** Keys with values, in the order they are written. */
  record Mapping(int line, List<Entry> entries) implements YamlNode {}

  /** One key with its value. */
  record Entry(int line, String key, YamlNode value) {}
}
