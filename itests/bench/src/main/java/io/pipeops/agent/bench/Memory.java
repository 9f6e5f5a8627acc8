package io.pipeops.agent.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a Java process holds after a collection, in MiB.
 *
 * @param heap what is used of the heap; not a number where there is no jcmd, and then nothing was
 *     collected before
 */
record Memory(double resident, double anonymous, double heap) {
  private static final Path JCMD = Path.of(System.getProperty("java.home"), "bin", "jcmd");

  /** A generation of the heap; metaspace is written otherwise. */
  private static final Pattern USED = Pattern.compile("total \\d+K, used (\\d+)K");

  static boolean canCollect() {
    return Files.isExecutable(JCMD);
  }

  static Memory of(long pid) throws IOException, InterruptedException {
    double heap = canCollect() ? heap(pid) : Double.NaN;
    return new Memory(Cpu.memory(pid, "VmRSS"), Cpu.memory(pid, "RssAnon"), heap);
  }

  boolean collected() {
    return !Double.isNaN(heap);
  }

  /** The used heap after a collection, in MiB; fails without jcmd. */
  static double heap(long pid) throws IOException, InterruptedException {
    jcmd(pid, "GC.run");
    Matcher used = USED.matcher(jcmd(pid, "GC.heap_info"));
    double sum = 0;
    while (used.find()) {
      sum += Double.parseDouble(used.group(1));
    }
    return sum / 1024;
  }

  private static String jcmd(long pid, String command) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(JCMD.toString(), Long.toString(pid), command)
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IOException("jcmd " + command + ": " + output);
    }
    return output;
  }
}
