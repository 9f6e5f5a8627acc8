package io.pipeops.agent.sandbox;

import java.util.Locale;

/**
 * The form of answer that a client asks for. Whoever would rather have protobuf gets JSON, as long
 * as JSON is in the list too.
 *
 * @param as {@code Table}, {@code PartialObjectMetadata} and the like; empty for the object itself
 * @param version the version of that form
 */
record Accept(String as, String version) {
  static final Accept PLAIN = new Accept("", "");

  static Accept parse(String header) {
    if (header.isBlank()) {
      return PLAIN;
    }
    for (String range : header.split(",", -1)) {
      String[] parts = range.strip().split("\\s*;\\s*", -1);
      String type = parts[0].toLowerCase(Locale.ROOT);
      if (type.equals("*/*") || type.equals("application/*")) {
        return PLAIN;
      }
      if (type.equals("application/json")) {
        return new Accept(parameter(parts, "as"), parameter(parts, "v"));
      }
    }
    throw ApiException.notAcceptable();
  }

  private static String parameter(String[] parts, String name) {
    for (String part : parts) {
      if (part.startsWith(name + "=")) {
        return part.substring(name.length() + 1).replace("\"", "");
      }
    }
    return "";
  }

  boolean table() {
    return as.equals("Table");
  }

  boolean metadataOnly() {
    return as.startsWith("PartialObjectMetadata");
  }
}
