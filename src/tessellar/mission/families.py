"""The families of TESS file names, one row each: how to read a name, how to build it, what its files have in common.

Sources: the TESS Science Data Products Description Document, the pages of each
high-level science product (HLSP) at MAST, and addresses in its archive. Where a
family's files lie in the archive is told only where such an address is known.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """One family of names.

    Attributes
    ----------
    name : str
        What `build_name` calls it.
    kind : str
        Of its files; empty where the product tells.
    author, collection : str
        The pipeline, and ``TESS`` or ``HLSP``; an empty author is named by the project.
    pattern : str
        Regular expression; its named groups are the parts of a name.
    template : str
        Format of a name from its parts.
    tail : str
        Regular expression of what is cut from a file's stem to get its ``obs_id``; empty if nothing is.
    folder : str
        Folder of the files in the archive's folder of the project, with its closing slash. Besides the parts,
        ``tic4`` is the 16-digit TIC id in groups of four, ``gaia4`` the leading digits of the Gaia id in such
        groups, and ``run`` a sector or range.
    cadence : float or None
        Exposure time in seconds, where it is the same for all.
    """

    name: str
    kind: str
    author: str
    collection: str
    pattern: str
    template: str
    tail: str = ""
    folder: str = ""
    cadence: float | None = None


_TS, _S, _TIC = r"(?P<timestamp>\d{13})", r"s(?P<sector>\d{4})", r"(?P<tic>\d{16})"
_RANGE = r"s(?P<first>\d{4})-s(?P<last>\d{4})"
_PLACE = r"(?P<camera>[1-4])-(?P<ccd>[1-4])"
_TAIL = r"(?P<scid>\d{4})-(?P<cr>[xsab])"
_GZ = r"\.(?P<extension>fits(?:\.gz)?)"
_VERSION = r"tess_(?P<version>v[\d.]+[a-z0-9]*)"
_ANY = r"(?P<extension>fits(?:\.gz)?|pdf|png|txt|csv|h5|xml)"

FAMILIES = (
    Family("spoc-lc", "lightcurve", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>lc){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_lc.{extension}",
           tail="_lc$", cadence=120.0),
    Family("spoc-fast-lc", "lightcurve", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>fast-lc){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_fast-lc.{extension}",
           tail="-lc$", cadence=20.0),
    Family("spoc-tp", "tpf", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>tp){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_tp.{extension}",
           tail="_tp$", cadence=120.0),
    Family("spoc-fast-tp", "tpf", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_TIC}-{_TAIL}_(?P<product>fast-tp){_GZ}",
           "tess{timestamp}-s{sector:04d}-{tic:016d}-{scid}-{cr}_fast-tp.{extension}",
           tail="-tp$", cadence=20.0),
    Family("spoc-dv", "dv", "SPOC", "TESS",
           rf"tess{_TS}-{_RANGE}-{_TIC}-(?P<pin>\d{{5}})_(?P<product>dvt|dvr|dvm)\.(?P<extension>(?:fits|pdf|xml)(?:\.gz)?)",
           "tess{timestamp}-s{first:04d}-s{last:04d}-{tic:016d}-{pin:05d}_{product}.{extension}",
           tail="_dv[trm]$"),
    Family("spoc-dvs", "dv", "SPOC", "TESS",
           rf"tess{_TS}-{_RANGE}-{_TIC}-(?P<planet>\d{{2}})-(?P<pin>\d{{5}})_(?P<product>dvs|dvp)\.(?P<extension>pdf)",
           "tess{timestamp}-s{first:04d}-s{last:04d}-{tic:016d}-{planet:02d}-{pin:05d}_{product}.{extension}",
           tail=r"-\d{2}(?=-\d{5}_dv[sp]$)|_dv[sp]$"),
    Family("spoc-tcestats", "tcestats", "SPOC", "TESS",
           rf"tess{_TS}-{_RANGE}_(?P<product>dvr-tcestats)\.(?P<extension>csv)",
           "tess{timestamp}-s{first:04d}-s{last:04d}_{product}.{extension}"),
    Family("spoc-tcestats-sector", "tcestats", "SPOC", "TESS",
           rf"tess{_TS}-{_S}_(?P<product>dvr-tcestats)\.(?P<extension>csv)",
           "tess{timestamp}-s{sector:04d}_{product}.{extension}"),
    Family("spoc-dv-schema", "other", "SPOC", "TESS", rf"tess{_TS}_(?P<product>dvr)\.(?P<extension>xsd)",
           "tess{timestamp}_dvr.{extension}"),
    Family("spoc-ffi", "ffi", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_PLACE}-{_TAIL}_(?P<product>ffic|ffir){_GZ}",
           "tess{timestamp}-s{sector:04d}-{camera}-{ccd}-{scid}-{cr}_{product}.{extension}",
           tail="_ffi[cr]$"),
    Family("spoc-cbv", "cbv", "SPOC", "TESS", rf"tess{_TS}-{_S}-{_PLACE}-{_TAIL}_(?P<product>cbv){_GZ}",
           "tess{timestamp}-s{sector:04d}-{camera}-{ccd}-{scid}-{cr}_cbv.{extension}",
           tail="_cbv$"),
    Family("spoc-collateral", "collateral", "SPOC", "TESS",
           rf"tess{_TS}-{_S}-(?P<target>[a-z-]+)-{_PLACE}-(?P<output>[a-dA-D])-{_TAIL}_(?P<product>col){_GZ}",
           "tess{timestamp}-s{sector:04d}-{target}-{camera}-{ccd}-{output}-{scid}-{cr}_col.{extension}",
           tail="_col$"),
    Family("spoc-prf", "other", "SPOC", "TESS",
           rf"tess{_TS}-(?P<product>prf)-{_PLACE}-(?P<target>row\d{{4}}-col\d{{4}}){_GZ}",
           "tess{timestamp}-prf-{camera}-{ccd}-{target}.{extension}"),
    Family("cube", "cube", "SPOC", "TESS", rf"tess-{_S}-{_PLACE}-(?P<product>cube){_GZ}",
           "tess-s{sector:04d}-{camera}-{ccd}-cube.{extension}"),
    Family("tica-cube", "cube", "TICA", "HLSP", rf"tica-{_S}-{_PLACE}-(?P<product>cube){_GZ}",
           "tica-s{sector:04d}-{camera}-{ccd}-cube.{extension}"),
    Family("tesscut", "cutout", "TESScut", "TESS",
           rf"tess-{_S}-{_PLACE}_(?P<target>-?[\d.]+_-?[\d.]+_\d+x\d+)_(?P<product>astrocut){_GZ}",
           "tess-s{sector:04d}-{camera}-{ccd}_{target}_astrocut.{extension}"),
    Family("ticacut", "cutout", "TICA", "HLSP",
           rf"tica-{_S}-{_PLACE}_(?P<target>-?[\d.]+_-?[\d.]+_\d+x\d+)_(?P<product>astrocut){_GZ}",
           "tica-s{sector:04d}-{camera}-{ccd}_{target}_astrocut.{extension}"),
    Family("engineering", "other", "SPOC", "TESS",
           rf"tess{_TS}_sector(?P<sector>\d{{2,4}})-(?P<product>quat|emi|eng){_GZ}",
           "tess{timestamp}_sector{sector:02d}-{product}.{extension}"),
    Family("bulk-script", "other", "SPOC", "TESS",
           r"tesscurl_sector_(?P<sector>[1-9]\d{0,3})_(?P<target>ffic|ffir|tp|fast-tp|lc|fast-lc|dv)\.(?P<extension>sh)",
           "tesscurl_sector_{sector:d}_{target}.{extension}"),
    Family("bulk-script-runs", "other", "SPOC", "TESS",
           rf"tesscurl_multisector_{_RANGE}_(?P<target>dv)\.(?P<extension>sh)",
           "tesscurl_multisector_s{first:04d}-s{last:04d}_{target}.{extension}"),
    Family("tessellar", "lightcurve", "tessellar", "HLSP",
           rf"hlsp_tessellar_tess_(?P<instrument>ffi|tpf)_{_TIC}-{_S}-c(?P<cadence>\d{{4}})_{_VERSION}_"
           rf"(?P<product>[a-z0-9]+-lc){_GZ}",
           "hlsp_tessellar_tess_{instrument}_{tic:016d}-s{sector:04d}-c{cadence:04.0f}_tess_{version}_"
           "{product}.{extension}"),
    Family("tess-spoc", "", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_TIC}-{_S}_{_VERSION}_(?P<product>lc|tp){_GZ}",
           "hlsp_tess-spoc_tess_phot_{tic:016d}-s{sector:04d}_tess_{version}_{product}.{extension}",
           folder="{run}/target/{tic4}/"),
    Family("tess-spoc-dv", "dv", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_TIC}-{_RANGE}_{_VERSION}_(?P<product>dvt|dvr|dvm)\."
           r"(?P<extension>(?:fits|pdf|xml)(?:\.gz)?)",
           "hlsp_tess-spoc_tess_phot_{tic:016d}-s{first:04d}-s{last:04d}_tess_{version}_{product}.{extension}",
           tail="_dv[trm]$", folder="{run}/target/{tic4}/"),
    Family("tess-spoc-dvs", "dv", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_TIC}-{_RANGE}_{_VERSION}_(?P<product>dvs)-(?P<planet>\d{{2}})\."
           r"(?P<extension>pdf)",
           "hlsp_tess-spoc_tess_phot_{tic:016d}-s{first:04d}-s{last:04d}_tess_{version}_dvs-{planet:02d}.{extension}",
           tail=r"_dvs-\d{2}$", folder="{run}/target/{tic4}/"),
    Family("tess-spoc-cbv", "cbv", "TESS-SPOC", "HLSP",
           rf"hlsp_tess-spoc_tess_phot_{_S}-{_PLACE}_{_VERSION}_(?P<product>cbv){_GZ}",
           "hlsp_tess-spoc_tess_phot_s{sector:04d}-{camera}-{ccd}_tess_{version}_cbv.{extension}"),
    Family("qlp", "lightcurve", "QLP", "HLSP",
           rf"hlsp_qlp_tess_ffi_{_S}-{_TIC}_{_VERSION}_(?P<product>llc)\.(?P<extension>fits(?:\.gz)?|txt|h5)",
           "hlsp_qlp_tess_ffi_s{sector:04d}-{tic:016d}_tess_{version}_llc.{extension}",
           folder="{run}/{tic4}/"),
    Family("tglc", "lightcurve", "TGLC", "HLSP",
           rf"hlsp_tglc_tess_ffi_(?P<target>gaiaid-\d+)-{_S}-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])_{_VERSION}_"
           rf"(?P<product>llc){_GZ}",
           "hlsp_tglc_tess_ffi_{target}-s{sector:04d}-cam{camera}-ccd{ccd}_tess_{version}_llc.{extension}",
           folder="{run}/cam{camera}-ccd{ccd}/{gaia4}/"),
    Family("cdips", "lightcurve", "CDIPS", "HLSP",
           rf"hlsp_cdips_tess_ffi_(?P<target>gaiatwo\d+)-(?P<sector>\d{{4}})-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])_"
           rf"{_VERSION}_(?P<product>llc){_GZ}",
           "hlsp_cdips_tess_ffi_{target}-{sector:04d}-cam{camera}-ccd{ccd}_tess_{version}_llc.{extension}",
           folder="{run}/cam{camera}_ccd{ccd}/"),
    Family("cdips-later", "lightcurve", "CDIPS", "HLSP",
           rf"hlsp_cdips_tess_ffi_(?P<target>gaiatwo\d+)-{_S}-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])_"
           rf"{_VERSION}_(?P<product>llc){_GZ}",
           "hlsp_cdips_tess_ffi_{target}-s{sector:04d}-cam{camera}-ccd{ccd}_tess_{version}_llc.{extension}",
           folder="{run}/cam{camera}_ccd{ccd}/"),
    Family("pathos", "lightcurve", "PATHOS", "HLSP",
           rf"hlsp_pathos_tess_lightcurve_tic-(?P<tic>\d{{10}})-{_S}_{_VERSION}_(?P<product>llc)\."
           r"(?P<extension>fits(?:\.gz)?|txt)",
           "hlsp_pathos_tess_lightcurve_tic-{tic:010d}-s{sector:04d}_tess_{version}_llc.{extension}", folder="{run}/"),
    Family("t16", "lightcurve", "T16", "HLSP",
           rf"hlsp_t16_tess_ffi_{_S}-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])-(?P<target>\d{{20}})_{_VERSION}_"
           rf"(?P<product>llc){_GZ}",
           "hlsp_t16_tess_ffi_s{sector:04d}-cam{camera}-ccd{ccd}-{target}_tess_{version}_llc.{extension}",
           tail="_llc$"),
    Family("tasoc", "lightcurve", "TASOC", "HLSP",
           rf"hlsp_tasoc_tess_(?P<instrument>ffi|tpf)_tic(?P<tic>\d{{11}})-{_S}-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])-"
           rf"c(?P<cadence>\d{{4}})_{_VERSION}_(?P<product>(?:cbv|ens)-lc){_GZ}",
           "hlsp_tasoc_tess_{instrument}_tic{tic:011d}-s{sector:04d}-cam{camera}-ccd{ccd}-c{cadence:04.0f}_tess_{version}_"
           "{product}.{extension}",
           tail="_(?:cbv|ens)-lc$", folder="{run}/c{cadence:04.0f}/{tic4}/"),
    Family("tasoc-v04", "lightcurve", "TASOC", "HLSP",
           rf"hlsp_tasoc_tess_(?P<instrument>ffi|tpf)_tic(?P<tic>\d{{11}})-s(?P<sector>\d{{2}})-c(?P<cadence>\d{{4}})_"
           rf"{_VERSION}_(?P<product>lc){_GZ}",
           "hlsp_tasoc_tess_{instrument}_tic{tic:011d}-s{sector:02d}-c{cadence:04.0f}_tess_{version}_lc.{extension}",
           folder="{run}/{instrument}/{tic4}/"),
    Family("tasoc-pipeline", "lightcurve", "TASOC", "HLSP",
           rf"tess(?P<tic>\d{{11}})-s(?P<sector>\d{{3}})-{_PLACE}-c(?P<cadence>\d{{4}})-dr(?P<release>\d{{2}})-"
           rf"(?P<version>v\d{{2}})-(?P<product>tasoc_lc){_GZ}",
           "tess{tic:011d}-s{sector:03d}-{camera}-{ccd}-c{cadence:04.0f}-dr{release}-{version}-tasoc_lc.{extension}"),
    Family("tica", "ffi", "TICA", "HLSP",
           rf"hlsp_tica_tess_ffi_{_S}-(?P<target>o\d[a-z]?-\d{{8}})-cam(?P<camera>[1-4])-ccd(?P<ccd>[1-4])_{_VERSION}_"
           rf"(?P<product>img){_GZ}",
           "hlsp_tica_tess_ffi_s{sector:04d}-{target}-cam{camera}-ccd{ccd}_tess_{version}_img.{extension}",
           folder="{run}/cam{camera}-ccd{ccd}/"),
    Family("eleanor-postcard", "other", "ELEANOR", "HLSP",
           rf"hlsp_eleanor_tess_ffi_postcard-{_S}-{_PLACE}-(?P<target>cal-\d+-\d+)_{_VERSION}_(?P<product>pc|bkg){_GZ}",
           "hlsp_eleanor_tess_ffi_postcard-s{sector:04d}-{camera}-{ccd}-{target}_tess_{version}_{product}.{extension}",
           folder="postcards/{run}/{camera}-{ccd}/"),
    Family("gsfc-eleanor-lite", "lightcurve", "GSFC-ELEANOR-LITE", "HLSP",
           rf"hlsp_gsfc-eleanor-lite_tess_ffi_{_S}-{_TIC}_{_VERSION}_(?P<product>lc){_GZ}",
           "hlsp_gsfc-eleanor-lite_tess_ffi_s{sector:04d}-{tic:016d}_tess_{version}_lc.{extension}",
           folder="{run}/{tic4}/"),
    Family("diamante", "lightcurve", "DIAMANTE", "HLSP",
           rf"hlsp_diamante_tess_lightcurve_tic-{_TIC}_{_VERSION}_(?P<product>llc){_GZ}",
           "hlsp_diamante_tess_lightcurve_tic-{tic:016d}_tess_{version}_llc.{extension}",
           folder="{tic4}/"),
    Family("tess-data-alerts", "", "TESS-DATA-ALERTS", "HLSP",
           rf"hlsp_tess-data-alerts_tess_phot_(?P<tic>\d{{11}})-s(?P<sector>\d{{2}})_{_VERSION}_(?P<product>lc|tp){_GZ}",
           "hlsp_tess-data-alerts_tess_phot_{tic:011d}-s{sector:02d}_tess_{version}_{product}.{extension}"),
    # Any other HLSP of TESS: last, for it reads nearly everything.
    Family("hlsp", "", "", "HLSP",
           rf"hlsp_(?P<project>[a-z0-9-]+)_tess_(?P<instrument>[a-z0-9-]+)_(?P<target>[A-Za-z0-9._+-]+?)_{_VERSION}_"
           rf"(?P<product>[a-z0-9-]+)\.{_ANY}",
           "hlsp_{project}_tess_{instrument}_{target}_tess_{version}_{product}.{extension}"),
)  # fmt: skip
