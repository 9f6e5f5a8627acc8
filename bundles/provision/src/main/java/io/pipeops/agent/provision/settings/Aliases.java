package io.pipeops.agent.provision.settings;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The table of names that the existing agent knows; it stands in the resource aliases.txt. */
public final class Aliases {
  private final List<Alias> all;

  Aliases(String table) {
    List<Alias> read = new ArrayList<>();
    int number = 0;
    for (String line : table.split("\n")) {
      number++;
      if (!line.isBlank() && !line.startsWith("#")) {
        read.add(alias(line, number));
      }
    }
    all = List.copyOf(read);
  }

  /** Reads the table of this bundle. */
  public static Aliases load() {
    try (InputStream table = Aliases.class.getResourceAsStream("aliases.txt")) {
      if (table == null) {
        throw new IllegalStateException("aliases.txt is not in the bundle");
      }
      return new Aliases(new String(table.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException unreadable) {
      throw new UncheckedIOException(unreadable);
    }
  }

  List<Alias> all() {
    return all;
  }

  /** The keys of our settings that the table names; each has to exist in the registry. */
  public List<String> targets() {
    return all.stream().map(Alias::target).filter(t -> !t.isEmpty()).distinct().sorted().toList();
  }

  private static Alias alias(String line, int number) {
    String[] columns = line.split("\\|", -1);
    if (columns.length != 5) {
      throw new IllegalStateException("aliases.txt:" + number + ": five columns are needed");
    }
    String target = columns[0].strip();
    return new Alias(
        target.equals("-") ? "" : target,
        Conversion.named(columns[1].strip()),
        words(columns[2]),
        words(columns[3]),
        words(columns[4]));
  }

  private static List<String> words(String column) {
    return column.isBlank() ? List.of() : List.of(column.strip().split("\\s+"));
  }
}
