package io.pipeops.agent.launcher;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/** What this build is: one source for every place that shows a version. */
final class Build {
  private final Properties properties = new Properties();

  Build() throws IOException {
    try (InputStream in = Build.class.getResourceAsStream("build.properties")) {
      if (in == null) {
        throw new IOException("The launcher was built without build.properties");
      }
      properties.load(in);
    }
  }

  String version() {
    return properties.getProperty("version");
  }

  /** As framework properties, where bundles find them. */
  Map<String, String> asFrameworkProperties() {
    Map<String, String> map = new TreeMap<>();
    map.put("agent.version", version());
    map.put("agent.commit", properties.getProperty("commit"));
    map.put("agent.build.date", properties.getProperty("date"));
    return map;
  }

  @Override
  public String toString() {
    return "pipeops-agent %s (commit %s, %s, Java %s)"
        .formatted(
            version(),
            properties.getProperty("commit"),
            properties.getProperty("date"),
            Runtime.version());
  }
}
