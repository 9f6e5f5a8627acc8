package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A few MiB of memory mounted at a folder, which can be filled to the last byte, or read-only. */
final class SmallDisk implements AutoCloseable {
  private static final int BLOCK = 4096;

  private final Path folder;
  private final Path filling;

  private SmallDisk(Path folder) {
    this.folder = folder;
    this.filling = folder.resolve(".filling");
  }

  /** Skips the test where this user may not mount. */
  static void assumePossible() throws Exception {
    assumeTrue(
        System.getProperty("user.name").equals("root"),
        "skipped: only root can mount a disk that gets full");
    Path probe = Files.createTempDirectory("mount");
    boolean mounted = run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", probe.toString()) == 0;
    if (mounted) {
      assertEquals(0, run("umount", probe.toString()));
    }
    Files.delete(probe);
    assumeTrue(mounted, "skipped: nothing can be mounted here");
  }

  static SmallDisk at(Path folder, int mebi) throws Exception {
    Files.createDirectories(folder);
    String size = "size=" + mebi + "m";
    assertEquals(0, run("mount", "-t", "tmpfs", "-o", size, "tmpfs", folder.toString()));
    return new SmallDisk(folder);
  }

  /** Until not a byte more can be written; again, if somebody has made room meanwhile. */
  void fill() throws IOException {
    for (int piece = 64 * BLOCK; piece > 0; piece = piece == 64 * BLOCK ? BLOCK : 0) {
      try (OutputStream out =
          Files.newOutputStream(filling, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
        while (true) {
          out.write(new byte[piece]);
        }
      } catch (IOException e) {
        // It is full, for pieces of this size.
      }
    }
  }

  void free() throws IOException {
    Files.delete(filling);
  }

  void readOnly() throws Exception {
    assertEquals(0, run("mount", "-o", "remount,ro", folder.toString()));
  }

  private static int run(String... command) throws Exception {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    return process.waitFor();
  }

  /** Unmounted also while somebody still has it. */
  @Override
  public void close() throws Exception {
    assertEquals(0, run("umount", "-l", folder.toString()));
  }
}
