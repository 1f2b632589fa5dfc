//! One page of a list: what is searched, how it is sorted, where it starts.

use std::collections::BTreeMap;

use super::name::Name;
use super::parameters;

/// The items of a page when the caller does not say.
pub const DEFAULT_PER_PAGE: u32 = 10;
/// The most items of a page.
pub const MAX_PER_PAGE: u32 = 100;
/// The highest page.
pub const MAX_PAGE: u32 = 1_000_000;
/// The most characters of a search.
pub const MAX_QUERY_CHARS: usize = 200;
/// The most tags, and labels, that a list is filtered by.
pub const MAX_FILTER_TAGS: usize = 10;

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By name, without regard to case.
    #[default]
    Name,
    /// By name, backwards.
    NameDescending,
    /// Saved longest ago first.
    Updated,
    /// Saved last first.
    UpdatedDescending,
}

impl Sort {
    /// Reads a sort order as the `sort` parameter has it.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "name" => Some(Self::Name),
            "-name" => Some(Self::NameDescending),
            "updated_at" => Some(Self::Updated),
            "-updated_at" => Some(Self::UpdatedDescending),
            _ => None,
        }
    }
}

/// What a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Words to look for, in names, descriptions, tags and the names of what is referred to.
    pub search: Option<String>,
    /// Tags that an item has to have, all of them.
    pub tags: Vec<String>,
    /// Labels that an appliance has to have, all of them.
    pub labels: BTreeMap<String, String>,
    /// The order.
    pub sort: Sort,
    /// The page, counted from 1.
    pub page: u32,
    /// The items of a page.
    pub per_page: u32,
}

impl Default for ListQuery {
    fn default() -> Self {
        Self {
            search: None,
            tags: Vec::new(),
            labels: BTreeMap::new(),
            sort: Sort::default(),
            page: 1,
            per_page: DEFAULT_PER_PAGE,
        }
    }
}

impl ListQuery {
    /// Reads the parameters of a list.
    ///
    /// # Errors
    /// The first parameter that does not parse or does not exist, and what is wrong with it.
    pub fn parse<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, (String, String)> {
        let mut query = Self::default();
        parameters::read(parameters, &["tag"], |name, value| {
            match name {
                "q" if value.chars().count() > MAX_QUERY_CHARS => return Err("is too long".to_owned()),
                "tag" if query.tags.len() >= MAX_FILTER_TAGS => return Err("is given too often".to_owned()),
                "q" | "tag" if value.contains('\0') => return Err("contains a zero character".to_owned()),
                "q" => query.search = Some(value.to_owned()).filter(|text| !text.is_empty()),
                "tag" => query.tags.push(value.to_owned()),
                "sort" => {
                    let orders = "is to be name, -name, updated_at or -updated_at";
                    query.sort = Sort::parse(value).ok_or_else(|| orders.to_owned())?;
                }
                "page" => query.page = number(value, MAX_PAGE)?,
                "per_page" => query.per_page = number(value, MAX_PER_PAGE)?,
                _ => return Err(parameters::UNKNOWN.to_owned()),
            }
            Ok(())
        })?;
        Ok(query)
    }

    /// Reads the parameters of a list of objects, which may also be filtered by labels, each as `label=region:emea`.
    ///
    /// # Errors
    /// As [`ListQuery::parse`].
    pub fn parse_labelled<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, (String, String)> {
        let (labels, rest): (Vec<_>, Vec<_>) = parameters.into_iter().partition(|(name, _)| *name == "label");
        let mut query = Self::parse(rest)?;
        let fail = |detail: &str| Err(("label".to_owned(), detail.to_owned()));
        for (_, label) in labels {
            let Some((key, value)) = label.split_once(':') else {
                return fail("is to be a key and a value, as in region:emea");
            };
            if value.contains('\0') || Name::parse(key).is_err() {
                return fail("is no label that an appliance can have");
            }
            if query.labels.insert(key.to_owned(), value.to_owned()).is_some() {
                return fail("names a key twice");
            }
            if query.labels.len() > MAX_FILTER_TAGS {
                return fail("is given too often");
            }
        }
        Ok(query)
    }

    /// Reads the parameters of a list that is only paged.
    ///
    /// # Errors
    /// As [`ListQuery::parse`].
    pub fn parse_pages<'a>(
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, (String, String)> {
        let parameters: Vec<(&str, &str)> = parameters.into_iter().collect();
        match parameters.iter().find(|(name, _)| !matches!(*name, "page" | "per_page")) {
            Some((name, _)) => Err(((*name).to_owned(), parameters::UNKNOWN.to_owned())),
            None => Self::parse(parameters),
        }
    }

    /// How many items stand before the page.
    #[must_use]
    pub fn offset(&self) -> i64 {
        i64::from(self.page - 1) * i64::from(self.per_page)
    }
}

fn number(text: &str, max: u32) -> Result<u32, String> {
    let parsed = text.parse().ok().filter(|number| (1..=max).contains(number));
    parsed.filter(|_| !text.starts_with('+')).ok_or_else(|| format!("is to be a number from 1 to {max}"))
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: i64,
}

impl<T> Page<T> {
    /// The same page of what `change` makes of the items.
    #[must_use]
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), total: self.total }
    }
}
