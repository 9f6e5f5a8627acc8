package io.pipeops.agent.kubernetes;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The cluster's DNS domain as the resolver's search list tells it (protocol 3.5.3). */
final class ClusterDomain {
  private static final String DEFAULT = "cluster.local";

  private ClusterDomain() {}

  static String of(Path resolvConf) {
    try {
      for (String line : Files.readAllLines(resolvConf, StandardCharsets.ISO_8859_1)) {
        String[] words = line.trim().split("\\s+");
        if (!words[0].equals("search")) {
          continue;
        }
        for (int i = 1; i < words.length; i++) {
          String domain = domain(words[i]);
          if (!domain.isEmpty()) {
            return domain;
          }
        }
      }
    } catch (IOException e) {
      return DEFAULT;
    }
    return DEFAULT;
  }

  private static String domain(String entry) {
    String name = entry.endsWith(".") ? entry.substring(0, entry.length() - 1) : entry;
    if (name.startsWith("svc.")) {
      return name.substring(4);
    }
    int at = name.indexOf(".svc.");
    return at < 0 ? "" : name.substring(at + 5);
  }
}
