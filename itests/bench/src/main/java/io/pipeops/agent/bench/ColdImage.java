package io.pipeops.agent.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The distribution on a file system of its own with the kernel's usual read-ahead, mounted anew so
 * that nothing of it is in the page cache: what a container meets on a fresh node.
 */
final class ColdImage implements AutoCloseable {
  private final Path disk;
  private final Path mount;

  private ColdImage(Path disk, Path mount) {
    this.disk = disk;
    this.mount = mount;
  }

  static ColdImage create(Path dir, Path image) throws IOException, InterruptedException {
    Path disk = dir.resolve("cold.img");
    Path mount = Files.createDirectories(dir.resolve("cold"));
    run("truncate", "-s", "600M", disk.toString());
    run("mkfs.ext4", "-q", "-F", disk.toString());
    ColdImage cold = new ColdImage(disk, mount);
    cold.mount();
    run("cp", "-a", image.toString(), mount.resolve("pipeops-agent").toString());
    cold.evict();
    return cold;
  }

  /** Forgets all pages of the file system and of the file it lies in. */
  void evict() throws IOException, InterruptedException {
    run("umount", mount.toString());
    run("dd", "if=" + disk, "iflag=nocache", "count=0", "status=none");
    mount();
  }

  private void mount() throws IOException, InterruptedException {
    run("mount", "-o", "loop", disk.toString(), mount.toString());
  }

  Path image() {
    return mount.resolve("pipeops-agent");
  }

  private static void run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException(String.join(" ", command) + ": " + output.strip());
    }
  }

  @Override
  public void close() throws IOException, InterruptedException {
    run("umount", mount.toString());
    Files.deleteIfExists(disk);
  }
}
