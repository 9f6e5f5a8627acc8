package io.pipeops.agent.link;

import java.io.File;
import java.io.IOException;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What the machine says of itself, read from files; nothing here asks the network. */
final class HostFacts {
  private final Path root;

  /**
   * Reads below a root.
   *
   * @param root the file system's root
   */
  HostFacts(Path root) {
    this.root = root;
  }

  /** The host name, which in a pod is the pod's. */
  String hostname() {
    String name = line("proc/sys/kernel/hostname");
    return name.isEmpty()
        ? line("etc/hostname").isEmpty() ? "unknown" : line("etc/hostname")
        : name;
  }

  /** {@code server_specs} (protocol 2.5.1). */
  Map<String, Object> specs() {
    Map<String, Object> specs = new LinkedHashMap<>();
    put(specs, "cpu_cores", cores());
    put(specs, "memory_gb", memory() >> 20);
    put(specs, "disk_gb", new File(root.toString()).getTotalSpace() >> 30);
    specs.put("os", os());
    return specs;
  }

  private static void put(Map<String, Object> specs, String name, long value) {
    if (value > 0) {
      specs.put(name, value);
    }
  }

  /** Those of the machine: the JVM would tell the container's limit. */
  private long cores() {
    long cores = 0;
    for (String range : line("sys/devices/system/cpu/online").split(",")) {
      String[] ends = range.split("-");
      try {
        long first = Long.parseLong(ends[0].trim());
        cores += ends.length == 1 ? 1 : Long.parseLong(ends[1].trim()) - first + 1;
      } catch (NumberFormatException e) {
        return Runtime.getRuntime().availableProcessors();
      }
    }
    return cores;
  }

  /** In KiB. */
  private long memory() {
    for (String line : lines("proc/meminfo")) {
      if (line.startsWith("MemTotal:")) {
        try {
          return Long.parseLong(line.replaceAll("[^0-9]", ""));
        } catch (NumberFormatException e) {
          return 0;
        }
      }
    }
    return 0;
  }

  private String os() {
    for (String file : List.of("etc/os-release", "usr/lib/os-release")) {
      for (String line : lines(file)) {
        if (line.startsWith("PRETTY_NAME=")) {
          return line.substring("PRETTY_NAME=".length()).replace("\"", "").trim();
        }
      }
    }
    return "linux";
  }

  /**
   * An identity from what stays the same on this machine, for the time until the remembered one is
   * known (protocol 9.3).
   */
  String generatedAgentId() {
    List<String> parts = new ArrayList<>();
    add(parts, hostname());
    String machine = line("etc/machine-id");
    add(parts, machine.isEmpty() ? line("var/lib/dbus/machine-id") : machine);
    add(parts, hardwareAddress());
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256")
              .digest(String.join("|", parts).getBytes(StandardCharsets.UTF_8));
      return "agent-" + HexFormat.of().formatHex(hash, 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void add(List<String> parts, String part) {
    if (!part.isEmpty()) {
      parts.add(part);
    }
  }

  private static String hardwareAddress() {
    try {
      for (NetworkInterface each : Collections.list(NetworkInterface.getNetworkInterfaces())) {
        byte[] address = each.getHardwareAddress();
        if (each.isUp() && !each.isLoopback() && address != null) {
          return HexFormat.ofDelimiter(":").formatHex(address);
        }
      }
    } catch (SocketException e) {
      return "";
    }
    return "";
  }

  private String line(String file) {
    List<String> lines = lines(file);
    return lines.isEmpty() ? "" : lines.get(0).trim();
  }

  private List<String> lines(String file) {
    try {
      return Files.readAllLines(root.resolve(file), StandardCharsets.UTF_8);
    } catch (IOException | RuntimeException e) {
      return List.of();
    }
  }
}
