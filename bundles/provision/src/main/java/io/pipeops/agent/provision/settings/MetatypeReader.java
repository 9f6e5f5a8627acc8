package io.pipeops.agent.provision.settings;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.xml.XMLConstants;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.parsers.SAXParserFactory;
import org.xml.sax.Attributes;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;
import org.xml.sax.helpers.DefaultHandler;

/**
 * Reads the settings out of a metatype resource (OSGi Compendium 105.8). SAX, because SCR has
 * loaded the JDK's SAX parser already when this runs.
 */
public final class MetatypeReader {
  private MetatypeReader() {}

  /**
   * The settings of one resource.
   *
   * @throws IOException if it cannot be read or is not well-formed
   */
  public static List<Setting> read(InputStream xml) throws IOException {
    Handler handler = new Handler();
    try {
      SAXParserFactory factory = SAXParserFactory.newDefaultInstance();
      factory.setNamespaceAware(true);
      factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
      factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
      factory.newSAXParser().parse(new InputSource(xml), handler);
    } catch (SAXException | ParserConfigurationException malformed) {
      throw new IOException(
          "Metatype resource is not readable: " + malformed.getMessage(), malformed);
    }
    return handler.settings();
  }

  /**
   * Splits a default as metatype writes it: commas divide, a backslash takes the next literally.
   */
  static List<String> split(String text) {
    List<String> values = new ArrayList<>();
    StringBuilder value = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\\' && i + 1 < text.length()) {
        value.append(text.charAt(++i));
      } else if (c == ',') {
        values.add(value.toString().strip());
        value.setLength(0);
      } else {
        value.append(c);
      }
    }
    if (!values.isEmpty() || !value.isEmpty()) {
      values.add(value.toString().strip());
    }
    return values;
  }

  /** Collects object classes and which PID each of them describes. */
  private static final class Handler extends DefaultHandler {
    private final Map<String, List<Draft>> classes = new HashMap<>();
    private final Map<String, String> pids = new HashMap<>();
    private List<Draft> drafts = List.of();
    private Draft draft;
    private String pid = "";

    @Override
    public void startElement(String uri, String name, String qualified, Attributes attributes) {
      switch (name) {
        case "OCD" -> {
          drafts = new ArrayList<>();
          classes.put(text(attributes, "id"), drafts);
        }
        case "AD" -> {
          draft = new Draft(attributes);
          drafts.add(draft);
        }
        case "Option" -> {
          if (draft != null) {
            draft.options.add(text(attributes, "value"));
          }
        }
        case "Designate" ->
            // Of a factory there may be several; they come from feature files, not from settings.
            pid = text(attributes, "factoryPid").isEmpty() ? text(attributes, "pid") : "";
        case "Object" -> {
          if (!pid.isEmpty()) {
            pids.put(pid, text(attributes, "ocdref"));
          }
        }
        default -> {
          // Icons and extensions say nothing about settings.
        }
      }
    }

    @Override
    public void endElement(String uri, String name, String qualified) {
      if (name.equals("AD")) {
        draft = null;
      }
    }

    List<Setting> settings() {
      List<Setting> all = new ArrayList<>();
      pids.forEach(
          (configuration, id) -> {
            for (Draft each : classes.getOrDefault(id, List.of())) {
              all.add(each.setting(configuration));
            }
          });
      return all;
    }
  }

  private static final class Draft {
    final List<String> options = new ArrayList<>();
    private final String id;
    private final SettingType type;
    private final boolean multiple;
    private final String defaults;
    private final String min;
    private final String max;
    private final String description;

    Draft(Attributes attributes) {
      id = text(attributes, "id");
      type = SettingType.named(text(attributes, "type"));
      String cardinality = text(attributes, "cardinality");
      multiple = !cardinality.isEmpty() && !cardinality.equals("0");
      defaults = text(attributes, "default");
      min = text(attributes, "min");
      max = text(attributes, "max");
      String given = text(attributes, "description");
      description = given.isEmpty() ? text(attributes, "name") : given;
    }

    Setting setting(String pid) {
      List<String> values =
          multiple ? split(defaults) : defaults.isEmpty() ? List.of() : List.of(defaults);
      return new Setting(pid, id, type, multiple, values, min, max, options, description.strip());
    }
  }

  private static String text(Attributes attributes, String name) {
    String value = attributes.getValue(name);
    return value == null ? "" : value;
  }
}
