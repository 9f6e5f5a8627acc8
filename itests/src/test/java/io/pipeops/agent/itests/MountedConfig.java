package io.pipeops.agent.itests;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * A settings file as kubelet mounts it from a ConfigMap: a link into {@code ..data}, itself a link
 * to a folder that is swapped when the ConfigMap changes.
 */
final class MountedConfig {
  final Path file;
  private final Path mount;
  private int generation;

  MountedConfig(Path mount, String yaml) throws IOException {
    this.mount = Files.createDirectories(mount);
    this.file = mount.resolve("config.yaml");
    swap(yaml);
    Files.createSymbolicLink(file, Path.of("..data/config.yaml"));
  }

  void swap(String yaml) throws IOException {
    Path before = mount.resolve("..2026_11_25_" + generation++);
    Path fresh = Files.createDirectory(mount.resolve("..2026_11_25_" + generation));
    Files.writeString(fresh.resolve("config.yaml"), yaml);
    Path link = Files.createSymbolicLink(mount.resolve("..data_tmp"), fresh.getFileName());
    Files.move(link, mount.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);
    Files.deleteIfExists(before.resolve("config.yaml"));
    Files.deleteIfExists(before);
  }
}
