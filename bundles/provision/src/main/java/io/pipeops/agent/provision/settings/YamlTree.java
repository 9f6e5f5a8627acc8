package io.pipeops.agent.provision.settings;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.common.ScalarStyle;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.events.NodeEvent;
import org.snakeyaml.engine.v2.events.ScalarEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * Reads YAML into a tree of bounded size and depth that knows its lines. Anchors, tags, several
 * documents and keys written twice are refused: in a settings file they are mistakes.
 */
final class YamlTree {
  static final int MAX_CHARACTERS = 1 << 20;
  private static final int MAX_DEPTH = 24;
  private static final int MAX_NODES = 20_000;

  private final Iterator<Event> events;
  private int nodes;

  private YamlTree(Iterator<Event> events) {
    this.events = events;
  }

  /**
   * Reads a text.
   *
   * @return the top level; an empty mapping if the text holds nothing
   * @throws BadYaml with line and reason
   */
  static YamlNode.Mapping read(String text) throws BadYaml {
    if (text.length() > MAX_CHARACTERS) {
      throw new BadYaml(1, "the file is larger than " + MAX_CHARACTERS + " characters");
    }
    LoadSettings settings = LoadSettings.builder().setCodePointLimit(MAX_CHARACTERS).build();
    try {
      return new YamlTree(new Parse(settings).parseString(text).iterator()).document();
    } catch (MarkedYamlEngineException malformed) {
      Optional<Mark> mark = malformed.getProblemMark().or(malformed::getContextMark);
      throw new BadYaml(line(mark), "invalid YAML: " + reason(malformed));
    } catch (YamlEngineException malformed) {
      throw new BadYaml(1, "invalid YAML: " + firstLine(malformed.getMessage()));
    }
  }

  private static String reason(MarkedYamlEngineException malformed) {
    String context = malformed.getContext();
    String problem = firstLine(malformed.getProblem());
    return context == null || context.isBlank() ? problem : firstLine(context) + ", " + problem;
  }

  private static String firstLine(String text) {
    return text == null ? "" : text.lines().findFirst().orElse("").strip();
  }

  private static int line(Optional<Mark> mark) {
    return mark.map(m -> m.getLine() + 1).orElse(1);
  }

  private YamlNode.Mapping document() throws BadYaml {
    YamlNode root = null;
    while (events.hasNext()) {
      Event event = events.next();
      switch (event.getEventId()) {
        case StreamStart, StreamEnd, DocumentStart, DocumentEnd, Comment -> {
          // Only what is between them matters.
        }
        default -> {
          if (root != null) {
            throw new BadYaml(line(event.getStartMark()), "only one YAML document is allowed");
          }
          root = node(event, 0);
        }
      }
    }
    if (root == null || (root instanceof YamlNode.Scalar scalar && scalar.absent())) {
      return new YamlNode.Mapping(1, List.of());
    }
    if (root instanceof YamlNode.Mapping mapping) {
      return mapping;
    }
    throw new BadYaml(root.line(), "the file must hold keys with values, such as \"link:\"");
  }

  private YamlNode node(Event event, int depth) throws BadYaml {
    int line = line(event.getStartMark());
    if (++nodes > MAX_NODES || depth > MAX_DEPTH) {
      throw new BadYaml(line, "the file is too large or nested too deeply");
    }
    if (event instanceof NodeEvent named && named.getAnchor().isPresent()) {
      throw new BadYaml(line, "anchors and aliases are not supported in a settings file");
    }
    return switch (event.getEventId()) {
      case Scalar -> scalar((ScalarEvent) event, line);
      case SequenceStart -> sequence(line, depth);
      case MappingStart -> mapping(line, depth);
      default -> throw new BadYaml(line, "unexpected content");
    };
  }

  private static YamlNode scalar(ScalarEvent event, int line) {
    String text = event.getValue();
    boolean plain = event.getScalarStyle() == ScalarStyle.PLAIN;
    boolean absent =
        plain
            && (text.isEmpty() || text.equals("~") || text.toLowerCase(Locale.ROOT).equals("null"));
    return new YamlNode.Scalar(line, text, absent);
  }

  private YamlNode sequence(int line, int depth) throws BadYaml {
    List<YamlNode> items = new ArrayList<>();
    for (Event event = next(); event.getEventId() != Event.ID.SequenceEnd; event = next()) {
      items.add(node(event, depth + 1));
    }
    return new YamlNode.Sequence(line, List.copyOf(items));
  }

  private YamlNode mapping(int line, int depth) throws BadYaml {
    List<YamlNode.Entry> entries = new ArrayList<>();
    Map<String, Integer> lines = new HashMap<>();
    for (Event event = next(); event.getEventId() != Event.ID.MappingEnd; event = next()) {
      int at = line(event.getStartMark());
      if (!(node(event, depth + 1) instanceof YamlNode.Scalar key)) {
        throw new BadYaml(at, "a key must be a plain text");
      }
      Integer earlier = lines.putIfAbsent(key.text(), at);
      if (earlier != null) {
        throw new BadYaml(
            at, "the key \"" + shown(key.text()) + "\" stands in line " + earlier + " already");
      }
      entries.add(new YamlNode.Entry(at, key.text(), node(next(), depth + 1)));
    }
    return new YamlNode.Mapping(line, List.copyOf(entries));
  }

  private static String shown(String key) {
    return Findings.shown(false, key);
  }

  private Event next() {
    Event event = events.next();
    while (event.getEventId() == Event.ID.Comment) {
      event = events.next();
    }
    return event;
  }

  /** A file that is not understood, with the line and a reason that can be shown. */
  static final class BadYaml extends Exception {
    private static final long serialVersionUID = 1L;
    private final int line;

    BadYaml(int line, String reason) {
      super(reason, null, false, false);
      this.line = line;
    }

    int line() {
      return line;
    }
  }
}
