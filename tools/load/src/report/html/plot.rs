//! One plot as inline SVG: a curve over two axes, with a tooltip at every point. The page's style sheet sets the colours,
//! light and dark. Written by hand, because the plotting crates write colours, fonts and sizes into each element, which
//! no style sheet can change.

use std::fmt::Write;

use maud::{Markup, html};

use super::axis::Axis;

/// Size in the drawing's own units, which the page scales.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 14.0;
const RIGHT: f64 = 30.0;
const BOTTOM: f64 = 32.0;
/// Width of one character of a tick's label, in the larger letters of a narrow page.
const CHARACTER: f64 = 9.5;
/// Width of a mark's label.
const MARK: f64 = 90.0;

/// The content of a plot.
pub struct Plot {
    /// The quantity that the plot shows.
    pub title: &'static str,
    /// The unit of the vertical axis.
    pub unit: String,
    /// The content in words, for screen readers.
    pub summary: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curve's points, from left to right.
    pub points: Vec<Point>,
    /// Points with a visible label.
    pub marks: Vec<Point>,
}

/// A point of the curve.
pub struct Point {
    /// Value on the horizontal axis.
    pub x: f64,
    /// Value on the vertical axis.
    pub y: f64,
    /// The tooltip of a point, or the label of a mark.
    pub label: String,
}

/// The rectangle between the axes. Maps values to positions.
struct Frame<'a> {
    plot: &'a Plot,
    left: f64,
}

impl Frame<'_> {
    const BASE: f64 = HEIGHT - BOTTOM;
    const END: f64 = WIDTH - RIGHT;

    fn x(&self, value: f64) -> f64 {
        let share = (value - self.plot.x.low) / (self.plot.x.high - self.plot.x.low);
        tenth(self.left + share.clamp(0.0, 1.0) * (Self::END - self.left))
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.plot.y.low) / (self.plot.y.high - self.plot.y.low);
        tenth(Self::BASE - share.clamp(0.0, 1.0) * (Self::BASE - TOP))
    }

    /// Returns the curve as path data.
    fn curve(&self) -> String {
        let mut path = String::new();
        for (index, point) in self.plot.points.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            // Writing to a String does not fail.
            let _ = write!(path, "{command}{} {}", self.x(point.x), self.y(point.y));
        }
        path
    }

    /// Returns the area below the curve as path data.
    fn area(&self) -> String {
        let (Some(first), Some(last)) = (self.plot.points.first(), self.plot.points.last()) else {
            return String::new();
        };
        format!("{}L{} {base}L{} {base}Z", self.curve(), self.x(last.x), self.x(first.x), base = Self::BASE)
    }

    /// Returns start and width of the range in which each point is the nearest.
    fn nearest_ranges(&self) -> impl Iterator<Item = (&Point, f64, f64)> {
        let points = &self.plot.points;
        let middle = |a: &Point, b: &Point| (self.x(a.x) + self.x(b.x)) / 2.0;
        points.iter().enumerate().map(move |(index, point)| {
            let start = if index == 0 { self.left } else { middle(&points[index - 1], point) };
            let end = points.get(index + 1).map_or(Self::END, |next| middle(point, next));
            (point, tenth(start), tenth((end - start).max(0.5)))
        })
    }
}

impl Plot {
    /// Draws the plot with its caption.
    pub fn draw(&self) -> Markup {
        let longest = self.y.ticks.iter().map(|(_, name)| name.chars().count()).max().unwrap_or(1);
        let frame = Frame { plot: self, left: 12.0 + CHARACTER * longest as f64 };
        html! {
            figure {
                figcaption { (self.title) " " span.unit { (self.unit) } }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.summary) {
                    (grid(&frame))
                    path.area d=(frame.area()) {}
                    path.line d=(frame.curve()) {}
                    (marks(&frame))
                    (tooltips(&frame))
                }
            }
        }
    }
}

fn grid(frame: &Frame) -> Markup {
    html! {
        g.grid {
            @for (at, name) in &frame.plot.y.ticks {
                @let y = frame.y(*at);
                line.base[*at == frame.plot.y.low] x1=(frame.left) x2=(Frame::END) y1=(y) y2=(y) {}
                text.y x=(frame.left - 8.0) y=(y) { (name) }
            }
            @for (at, name) in &frame.plot.x.ticks {
                @let x = frame.x(*at);
                line.notch x1=(x) x2=(x) y1=(Frame::BASE) y2=(Frame::BASE + 4.0) {}
                text.x x=(x) y=(Frame::BASE + 20.0) { (name) }
            }
        }
    }
}

/// Draws the marks. The label is above and to the left, where a rising curve leaves space; at the left end, to the right.
fn marks(frame: &Frame) -> Markup {
    html! {
        g.marks {
            @for mark in &frame.plot.marks {
                @let (x, y) = (frame.x(mark.x), frame.y(mark.y));
                circle cx=(x) cy=(y) r="3.5" {}
                text.start[x < frame.left + MARK] x=(x - 5.0) y=((y - 9.0).max(TOP - 3.0)) { (mark.label) }
            }
        }
    }
}

fn tooltips(frame: &Frame) -> Markup {
    html! {
        g.points {
            @for (point, start, width) in frame.nearest_ranges() {
                g {
                    title { (point.label) }
                    rect x=(start) y=(TOP) width=(width) height=(Frame::BASE - TOP) {}
                    circle cx=(frame.x(point.x)) cy=(frame.y(point.y)) r="4" {}
                }
            }
        }
    }
}

/// Rounds to a tenth of a unit, which is finer than any screen.
fn tenth(position: f64) -> f64 {
    (position * 10.0).round() / 10.0
}
