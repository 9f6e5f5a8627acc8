package io.pipeops.agent.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** The rows measured so far; printed as they come, and written as JSON at the end. */
final class Figures {
  private record Row(String what, String value, Map<String, Double> numbers) {}

  private final List<Row> rows = new ArrayList<>();

  void add(String what, String value, Map<String, Double> numbers) {
    rows.add(new Row(what, value, new TreeMap<>(numbers)));
    System.out.printf("| %-62s | %s |%n", what, value);
  }

  void skipped(String what, String why) {
    add(what, "left out: " + why, Map.of());
  }

  static String number(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }

  /** Such as "1 caller" and "16 callers". */
  static String count(int number, String what) {
    return number + " " + what + (number == 1 ? "" : "s");
  }

  void writeJson(Path file) throws IOException {
    new ObjectMapper().writerWithDefaultPrettyPrinter().writeValue(file.toFile(), rows);
  }
}
