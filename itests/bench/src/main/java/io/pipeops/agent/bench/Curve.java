package io.pipeops.agent.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Curves over one axis of time, as an SVG picture; several plots may stand below each other. */
final class Curve {
  private static final int WIDTH = 720;
  private static final int HEIGHT = 220;
  private static final int LEFT = 56;
  private static final int TOP = 28;
  private static final int BOTTOM = 34;
  private static final String[] COLORS = {"#1f77b4", "#d62728"};

  private record Line(String name, List<double[]> points) {}

  private record Plot(String title, List<Line> lines) {}

  private final String axis;
  private final List<Plot> plots = new ArrayList<>();

  Curve(String title, String axis) {
    this.axis = axis;
    below(title);
  }

  /** Adds a line of points (x, y) to the lowest plot. */
  Curve line(String name, List<double[]> points) {
    plots.get(plots.size() - 1).lines().add(new Line(name, points));
    return this;
  }

  /** Begins a plot below. */
  Curve below(String title) {
    plots.add(new Plot(title, new ArrayList<>()));
    return this;
  }

  void write(Path file) throws IOException {
    StringBuilder svg = new StringBuilder();
    svg.append(
        text(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' font-family='sans-serif'"
                + " font-size='12'>%n<rect width='100%%' height='100%%' fill='white'/>%n",
            WIDTH, HEIGHT * plots.size()));
    for (int i = 0; i < plots.size(); i++) {
      svg.append(text("<g transform='translate(0 %d)'>%n", i * HEIGHT));
      draw(svg, plots.get(i));
      svg.append("</g>\n");
    }
    Files.writeString(file, svg.append("</svg>\n"));
  }

  private void draw(StringBuilder svg, Plot plot) {
    double right = max(plot, 0);
    double high = max(plot, 1) * 1.1;
    svg.append(text("<text x='%d' y='18'>%s</text>%n", LEFT, plot.title()));
    for (int tick = 0; tick <= 4; tick++) {
      double value = high * tick / 4;
      double y = y(value, high);
      svg.append(
          text(
              "<path d='M%d %.1fH%d' stroke='#ddd'/><text x='%d' y='%.1f' text-anchor='end'>"
                  + "%.0f</text>%n",
              LEFT, y, WIDTH - 16, LEFT - 6, y + 4, value));
      double time = right * tick / 4;
      svg.append(
          text(
              "<text x='%.1f' y='%d' text-anchor='middle'>%.0f</text>%n",
              x(time, right), HEIGHT - BOTTOM + 16, time));
    }
    svg.append(
        text("<text x='%d' y='%d' text-anchor='end'>%s</text>%n", WIDTH - 16, HEIGHT - 4, axis));
    for (int i = 0; i < plot.lines().size(); i++) {
      Line line = plot.lines().get(i);
      StringBuilder path = new StringBuilder();
      for (double[] point : line.points()) {
        path.append(path.isEmpty() ? 'M' : 'L')
            .append(text("%.1f %.1f", x(point[0], right), y(point[1], high)));
      }
      svg.append(
          text(
              "<path d='%s' fill='none' stroke='%s' stroke-width='1.5'/><text x='%d' y='18'"
                  + " fill='%s'>%s</text>%n",
              path, COLORS[i], WIDTH - 140 + i * 60, COLORS[i], line.name()));
    }
  }

  private static double x(double value, double most) {
    return LEFT + value / most * (WIDTH - LEFT - 16);
  }

  private static double y(double value, double most) {
    return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);
  }

  private static double max(Plot plot, int index) {
    return plot.lines().stream()
        .flatMap(line -> line.points().stream())
        .mapToDouble(point -> point[index])
        .max()
        .orElse(1);
  }

  private static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
