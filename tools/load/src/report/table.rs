//! The report for the terminal: one row per outcome, then the figures and limits of each. A narrow terminal gets the
//! columns in two tables, so that no number is broken.
//!
//! Uses comfy-table: it is maintained, aligns by column, knows the terminal's width and whether it shows colours, and
//! counts displayed width, not bytes.

use std::io::{self, Write};

use anyhow::Result;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};

use super::numbers;
use crate::outcome::{Check, Outcome, Run};

/// The width when the output is no terminal.
const WIDTH: u16 = 120;

/// Width at which the parameters in the first column wrap.
const SHAPE_WIDTH: usize = 20;

const RULE: LineStyle = LineStyle::none().fill('─').junction('─');
const RULED: TableStyle = TableStyle::new().top_border(RULE).header_separator(RULE).bottom_border(RULE);

/// A column of the overview: its head, and its content for an outcome.
type Column = (&'static str, fn(&Outcome) -> Cell);

const DELIVERED: &[Column] = &[
    ("connections", |outcome| Cell::new(numbers::count(outcome.connections as u64))),
    ("deliveries", |outcome| Cell::new(numbers::count(outcome.deliveries))),
    ("lost", |outcome| alarm(outcome.lost)),
    ("superseded", |outcome| Cell::new(numbers::count(outcome.superseded))),
    ("per\nsecond", |outcome| Cell::new(numbers::rate(outcome.deliveries_per_second()))),
    ("per CPU-s\n(× floor)", |outcome| Cell::new(per_cpu_second(outcome))),
];

const COST: &[Column] = &[
    ("p50\nms", |outcome| Cell::new(numbers::millis(outcome.p50_ms()))),
    ("p99\nms", |outcome| Cell::new(numbers::millis(outcome.p99_ms()))),
    ("max\nms", |outcome| Cell::new(numbers::millis(outcome.max_ms()))),
    ("peak\nmemory", |outcome| Cell::new(numbers::bytes(outcome.peak_memory))),
    ("dropped", |outcome| alarm(outcome.dropped as u64)),
];

/// Prints the report to standard output in the width of the terminal.
///
/// # Errors
///
/// If standard output is closed.
pub fn print(run: &Run) -> Result<()> {
    let width = Table::new().width().unwrap_or(WIDTH);
    write(run, &mut io::stdout().lock(), width)
}

/// Writes the report for a terminal of `width` columns.
///
/// # Errors
///
/// If the target cannot be written.
pub fn write(run: &Run, target: &mut impl Write, width: u16) -> Result<()> {
    let machine = &run.machine;
    let memory = numbers::bytes(machine.memory);
    writeln!(target, "\n{}", run.date)?;
    writeln!(target, "{} cores of {}, {memory}, Linux {}\n", machine.cores, machine.cpu, machine.kernel)?;
    for table in overviews(run, width) {
        writeln!(target, "{}\n", table.trim_fmt())?;
    }
    for outcome in &run.outcomes {
        details(outcome, target, width)?;
    }
    verdict(run, target)
}

/// Returns one table with all columns if they fit, otherwise two; with wide gaps if those fit.
fn overviews(run: &Run, width: u16) -> Vec<Table> {
    let all = [DELIVERED, COST].concat();
    let arrangements: [(&[&[Column]], u16); 4] =
        [(&[&all], 2), (&[&all], 1), (&[DELIVERED, COST], 2), (&[DELIVERED, COST], 1)];
    let mut tables = Vec::new();
    for (parts, gap) in arrangements {
        tables = parts.iter().map(|columns| overview(run, columns, gap)).collect();
        if tables.iter().all(|table| width_of(table, gap) <= width) {
            break;
        }
    }
    tables
}

fn width_of(table: &Table, gap: u16) -> u16 {
    let columns = table.column_max_content_widths();
    columns.into_iter().reduce(|sum, column| sum.saturating_add(gap).saturating_add(column)).unwrap_or(0)
}

/// Builds a table. A space separates the columns by itself; padding adds the rest of the gap.
fn overview(run: &Run, columns: &[Column], gap: u16) -> Table {
    let mut table = Table::new();
    table.load_style(RULED).set_content_arrangement(ContentArrangement::Disabled);
    let heads = columns.iter().map(|(head, _)| Cell::new(head).set_alignment(CellAlignment::Right));
    table.set_header(std::iter::once(Cell::new("scenario")).chain(heads));
    for outcome in &run.outcomes {
        let numbers = columns.iter().map(|(_, content)| content(outcome).set_alignment(CellAlignment::Right));
        table.add_row(std::iter::once(Cell::new(name(outcome))).chain(numbers));
    }
    for column in table.column_iter_mut() {
        column.set_padding((if column.index == 0 { 0 } else { gap - 1 }, 0));
    }
    table
}

/// Returns the scenario, and its parameters below it.
fn name(outcome: &Outcome) -> String {
    let mut lines = vec![outcome.scenario.to_owned()];
    let mut line = String::new();
    for (name, value) in &outcome.parameters {
        let parameter = format!("{name} {}", numbers::parameter(value));
        if !line.is_empty() && line.chars().count() + parameter.chars().count() + 3 > SHAPE_WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(if line.is_empty() { "  " } else { ", " });
        line.push_str(&parameter);
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines.join("\n")
}

fn per_cpu_second(outcome: &Outcome) -> String {
    let rate = numbers::rate(outcome.deliveries_per_cpu_second());
    outcome.ratio_to_floor().map_or(rate.clone(), |ratio| format!("{rate}\n({ratio:.2})"))
}

/// Formats a number that should be zero.
fn alarm(number: u64) -> Cell {
    let cell = Cell::new(numbers::count(number));
    if number == 0 { cell } else { cell.fg(Color::Red).add_attribute(Attribute::Bold) }
}

/// Writes the figures and limits of an outcome; nothing if it has neither.
fn details(outcome: &Outcome, target: &mut impl Write, width: u16) -> Result<()> {
    if outcome.figures.is_empty() && outcome.checks.is_empty() {
        return Ok(());
    }
    writeln!(target, "{}  {}", outcome.scenario, super::shape(outcome))?;
    if !outcome.figures.is_empty() {
        let mut figures = plain(width);
        for figure in &outcome.figures {
            let value = Cell::new(numbers::figure(figure.value)).set_alignment(CellAlignment::Right);
            figures.add_row([Cell::new(figure.name), value, Cell::new(figure.unit)]);
        }
        writeln!(target, "{}", indented(figures).trim_fmt())?;
    }
    if !outcome.checks.is_empty() {
        let mut checks = plain(width);
        for check in &outcome.checks {
            let wanted = format!("wanted {}", check.wanted);
            checks.add_row([holds(check), Cell::new(&check.what), Cell::new(&check.measured), Cell::new(wanted)]);
        }
        writeln!(target, "{}", indented(checks).trim_fmt())?;
    }
    writeln!(target)?;
    Ok(())
}

fn plain(width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table
}

fn indented(mut table: Table) -> Table {
    for column in table.column_iter_mut() {
        column.set_padding((2, 0));
    }
    table
}

fn holds(check: &Check) -> Cell {
    if check.holds {
        Cell::new("holds").fg(Color::Green)
    } else {
        Cell::new("DOES\u{a0}NOT\u{a0}HOLD").fg(Color::Red).add_attribute(Attribute::Bold)
    }
}

fn verdict(run: &Run, target: &mut impl Write) -> Result<()> {
    let all = run.checks().count();
    let held = run.checks().filter(|(_, check)| check.holds).count();
    match all {
        0 => {}
        _ if held == all => writeln!(target, "All limits hold ({all}).\n")?,
        _ => writeln!(target, "{held} of {all} limits hold, {} DO NOT.\n", all - held)?,
    }
    Ok(())
}
